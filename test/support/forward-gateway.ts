import { join } from "node:path";
import type { GatewayOptions, RunningGateway } from "./gateway.ts";
import { startGateway } from "./gateway.ts";

const PLUGIN = join(import.meta.dir, "plugins", "forward.ts");

/** So many tries for each request, and no upstream is rested however often it fails. */
export function tries(attempts: number): string {
  return `retry: { attempts: ${attempts} }\nhealth: { failures: 1000000 }\n`;
}

/** One upstream of a gateway.yaml: it forwards to `url`; `rest` has its further settings. */
export function forwardTo(id: string, url: string, rest = ""): string {
  const more = rest && `, ${rest}`;
  return `  ${id}: { plugin: ${JSON.stringify(PLUGIN)}, options: { url: "${url}/v1" }${more} }\n`;
}

/** Starts a gateway whose only upstream, `forward`, forwards to `url`, once for each request. */
export function startForward(url: string, rest = "", options: GatewayOptions = {}): Promise<RunningGateway> {
  return startGateway(`${tries(1)}upstreams:\n${forwardTo("forward", url, rest)}`, options);
}
