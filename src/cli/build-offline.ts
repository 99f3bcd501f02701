import type { BuiltGateway, StartupPlan } from "../build-gateway.ts";
import { build } from "../build-gateway.ts";
import type { GatewayLogger } from "../log.ts";
import { createLogger } from "../log.ts";
import { Redactor } from "../secrets/redactor.ts";
import { openTemporaryStorage } from "../storage/open-storage.ts";

/** A gateway that was opened for inspection, and its log. */
export interface OfflineGateway {
  readonly gateway: BuiltGateway;
  readonly log: GatewayLogger;
}

/** Opens the upstreams of a plan without network and without writing anything. Throws as `build` does. */
export async function buildOffline(planned: StartupPlan): Promise<OfflineGateway> {
  const redactor = new Redactor();
  const log = createLogger({ log: "pretty", level: "warn", redact: redactor.redact });
  const deps = { log, storage: openTemporaryStorage(), redactor, fetchWithin: () => noNetwork };
  return { gateway: await build(planned, deps), log };
}

const noNetwork = Object.assign(
  async () => {
    throw new Error("a plugin may not use the network while it is being opened");
  },
  { preconnect: () => undefined },
);
