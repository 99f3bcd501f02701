import { proxyResolver } from "../../config/environment.ts";
import { configPath, loadConfig, unexpectedArgument } from "../../config/load.ts";
import { plan } from "../build-gateway.ts";
import { proxyNotices } from "../host/proxy-notices.ts";
import { flushLog } from "../log.ts";
import { StartupError } from "../errors/startup-error.ts";
import { readStoredKeys } from "../storage/open-storage.ts";
import { unpricedWarnings } from "../usage/unpriced.ts";
import { buildOffline } from "./build-offline.ts";

/** Runs `check`, which reports whether the gateway could start; throws a ConfigError or a StartupError if not. */
export async function check(argv: readonly string[]): Promise<number> {
  // Or else another file than the one that was meant would be found fine.
  const stray = unexpectedArgument(argv);
  if (stray !== undefined) throw new StartupError(`check takes only --config PATH, and not ${stray}`);
  const config = await loadConfig(configPath(argv));
  const planned = await plan(config);
  const { gateway, log } = await buildOffline(planned);
  const opened = [...gateway.upstreams.keys()];
  // Only the routes' models: no upstream is asked for its own.
  const { keys, storage } = planned.settings;
  const made = readStoredKeys(storage, config.directory);
  for (const warning of unpricedWarnings([...keys, ...made], gateway)) log.warn(warning);
  for (const notice of proxyNotices(planned, proxyResolver())) console.log(notice);
  await gateway.close();
  flushLog();
  const all = planned.upstreams.length + planned.unloadable.length;
  const said = `${opened.length} of ${all} upstreams open (${opened.join(", ")})`;
  if (opened.length === all) {
    console.log(`${config.file} is fine: ${said}`);
    return 0;
  }
  console.log(`${config.file} would serve, but not whole: ${said}`);
  return 1;
}
