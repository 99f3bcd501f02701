/**
 * The process: arguments, configuration, build, listen, signals.
 * @module
 */
import { maxHttpRequests, proxyResolver, httpClient, isRunByScript } from "../config/environment.ts";
import { configPath, loadConfig, unexpectedArgument } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import { banner, keyNotice } from "./server/banner.ts";
import { GatewayError } from "./errors/gateway-error.ts";
import type { BuiltGateway } from "./build-gateway.ts";
import { build, plan } from "./build-gateway.ts";
import { proxyNotices } from "./host/proxy-notices.ts";
import type { Listening } from "./server/app.ts";
import { listen } from "./server/app.ts";
import { onNpmGone } from "./launcher.ts";
import type { GatewayLogger } from "./log.ts";
import { createLogger, flushLog, logUnforeseen } from "./log.ts";
import { upstreamFetch } from "./host/upstream-fetch.ts";
import { Redactor } from "./secrets/redactor.ts";
import { StartupError } from "./errors/startup-error.ts";
import type { Storage } from "./storage/storage.ts";
import { unpricedWarnings } from "./usage/unpriced.ts";
import { weakSecretWarnings } from "./secrets/weak-secrets.ts";
import { openStorage } from "./storage/open-storage.ts";

/** Below this, Bun's bound of outgoing requests is reached before the gateway's own. */
const ENOUGH_HTTP_REQUESTS = 4_096;
/** How long aborted requests may take to tell their clients, in ms. */
const LAST_WORDS_MS = 500;
/** The same after a second signal, and the limit of all clean-ups then, in ms. */
const HURRIED_WORDS_MS = 100;
const LAST_CHANCE_MS = 1_000;

/**
 * `bun run` forwards a Ctrl-C that the terminal has already sent to the whole process group, within about 0.1 ms. One signal
 * within this time of the first is ignored.
 */
const ECHO_MS = 250;

interface Running {
  readonly gateway: BuiltGateway;
  readonly server: Listening;
  readonly storage: Storage;
  readonly log: GatewayLogger;
  /** Milliseconds. */
  readonly drain: number;
}

async function start(): Promise<void> {
  const config = await loadConfig(configPath(argumentsOfStart()));
  const planned = await plan(config);
  const { settings } = planned;
  const redactor = new Redactor();
  const log = createLogger({ ...settings.telemetry, redact: redactor.redact });
  surviveStrays(log);
  const storage = await openStorage(settings.storage, config.directory);
  const proxyFor = proxyResolver();
  for (const notice of proxyNotices(planned, proxyFor)) log.info(notice);
  const fetchWithin = upstreamFetch({ ownClient: usesOwnClient(), proxyFor });
  const gateway = await build(planned, { log, storage, redactor, fetchWithin });
  const server = listen(gateway, settings.server);
  const key = await keyNotice(planned, storage.keys);
  await gateway.start();
  warnOfHttpLimit(log);
  const text = await banner(server.url, gateway, key);
  const { keys: made } = await storage.keys.snapshot();
  for (const warning of unpricedWarnings([...settings.keys, ...made], gateway)) log.warn(warning);
  for (const warning of weakSecretWarnings(settings)) log.warn(warning);
  // Before the banner: whoever reads that may stop the process at once.
  stopOnSignals({ gateway, server, storage, log, drain: settings.server.drain });
  process.stdout.write(text);
}

/** Returns the command's arguments; throws a StartupError for unknown ones. */
function argumentsOfStart(): readonly string[] {
  const given = process.argv.slice(2);
  const argv = given[0] === "serve" ? given.slice(1) : given;
  const stray = unexpectedArgument(argv);
  if (stray === undefined) return argv;
  throw new StartupError(
    `the gateway takes only --config PATH, and not ${stray}; all else stands in gateway.yaml`,
  );
}

/** Logs errors that a plugin throws in timers, events or unawaited promises, so that they don't end the process. */
function surviveStrays(log: GatewayLogger): void {
  const goOn = (error: unknown): void => logUnforeseen(log, "uncaught error; the gateway continues", error);
  process.on("uncaughtException", goOn);
  process.on("unhandledRejection", goOn);
  // A closed stderr must not end the process either.
  process.stderr.on("error", () => undefined);
}

function usesOwnClient(): boolean {
  const client = httpClient();
  if (client === "own" || client === "fetch") return client === "own";
  throw new StartupError(`MODELYARD_HTTP_CLIENT is own or fetch, and not ${client}`);
}

function warnOfHttpLimit(log: GatewayLogger): void {
  const limit = maxHttpRequests();
  if (limit >= ENOUGH_HTTP_REQUESTS) return;
  log.warn(
    `Bun allows this process only ${limit} outgoing requests at once, open streams included; start it with BUN_CONFIG_MAX_HTTP_REQUESTS=65535`,
  );
}

/** Drains running requests, aborts those that take too long, or all once `hurried` resolves, and closes everything. */
async function stop(
  { gateway, server, storage, log, drain }: Running,
  hurried: Promise<void>,
): Promise<void> {
  log.info("shutting down; a second signal ends running requests at once", {
    running: gateway.inFlight.running,
  });
  const end = performance.now() + drain;
  let lastWords = LAST_WORDS_MS;
  void hurried.then(() => (lastWords = HURRIED_WORDS_MS));
  const drained = gateway.inFlight.drain();
  await Promise.race([drained, Bun.sleep(drain), hurried]);
  if (gateway.inFlight.running > 0) {
    log.warn("ending requests that took longer than server.drain", { running: gateway.inFlight.running });
    gateway.inFlight.abort(new GatewayError("shutting_down", "this gateway is shutting down"));
    await Promise.race([drained, Bun.sleep(lastWords)]);
  }
  // A request counts as ended before its last bytes were sent.
  const stopped = server.stop(Math.max(end - performance.now(), LAST_WORDS_MS));
  await Promise.race([stopped, hurried.then(() => Bun.sleep(HURRIED_WORDS_MS))]);
  await gateway.close();
  await storage.close();
}

function exit(code: number): never {
  flushLog();
  process.exit(code);
}

/**
 * Stops the process on SIGTERM, SIGINT and SIGHUP. A second signal aborts running requests; clean-ups still get a second,
 * because work that isn't ended at upstreams costs money.
 */
function stopOnSignals(running: Running): void {
  let since: number | undefined;
  let mayBeRepeated = isRunByScript();
  let code = 0;
  const hurried = Promise.withResolvers<void>();
  const onSignal = () => {
    if (since !== undefined) {
      const isEcho = mayBeRepeated && performance.now() - since <= ECHO_MS;
      mayBeRepeated = false;
      if (isEcho) return;
      code = 1;
      hurried.resolve();
      setTimeout(exit, LAST_CHANCE_MS, 1);
      return;
    }
    since = performance.now();
    stop(running, hurried.promise).then(
      () => exit(code),
      (error: unknown) => {
        running.log.error("shutting down failed", { error: String(error) });
        exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  // The terminal was closed.
  process.on("SIGHUP", onSignal);
  // npm may end by the same signal that the gateway got.
  onNpmGone(() => {
    if (since === undefined) onSignal();
  });
}

try {
  await start();
} catch (error) {
  const isExpected = error instanceof ConfigError || error instanceof StartupError;
  process.stderr.write(`${isExpected ? error.message : Bun.inspect(error)}\n`);
  exit(1);
}
