import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { usesOwnClient } from "./http-client.ts";
import type { BuiltGateway } from "../../src/build-gateway.ts";
import { build, plan } from "../../src/build-gateway.ts";
import type { Dialect } from "../../src/dialects/dialect.ts";
import { listen } from "../../src/server/app.ts";
import { createLogger } from "../../src/log.ts";
import type { GatewayLimits } from "../../src/gateway.ts";
import type { ClientOptions } from "../../src/runtime/http-client/fetch.ts";
import { upstreamFetch } from "../../src/host/upstream-fetch.ts";
import { Redactor } from "../../src/secrets/redactor.ts";
import { TokenCounter } from "../../src/usage/token-counter.ts";
import { openStorage } from "../../src/storage/open-storage.ts";

/** The key that `startGateway` configures when its file has no `keys`. */
export const TEST_KEY = "sk-test-0123456789";

/** One for all gateways of a test run. */
const TOKENS = new TokenCounter(createLogger({ log: "pretty", level: "error", redact: (line) => line }));

/** A gateway that listens on a free loopback port, in this process, with everything real. */
export interface RunningGateway extends AsyncDisposable {
  /** As `http://127.0.0.1:40123`. */
  readonly url: string;
  /** `url` with `/v1`. */
  readonly baseURL: string;
  readonly key: string;
  readonly gateway: BuiltGateway;
  /** The folder of its gateway.yaml, removed at the end. */
  readonly directory: string;
  /** A POST of a chat request with the test key; `signal` and headers as given. */
  chat(body: object, init?: RequestInit): Promise<Response>;
}

export interface GatewayOptions {
  /** Other files beside gateway.yaml, such as a plugin, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Bounds that no configuration sets, made shorter for a test. */
  readonly limits?: Partial<GatewayLimits>;
  /** How it sends requests to upstreams; by the client of the test run and without a proxy unless set. */
  readonly outbound?: Partial<ClientOptions>;
  /** The client APIs that it serves, in place of all. */
  readonly dialects?: readonly [Dialect, ...Dialect[]];
}

/** Starts a gateway from the text of a gateway.yaml; `server` and `keys` are added where it has none. */
export async function startGateway(yaml: string, options: GatewayOptions = {}): Promise<RunningGateway> {
  const directory = mkdtempSync(join(tmpdir(), "modelyard-"));
  const server = /^server:/m.test(yaml) ? "" : "server: { port: 0 }\n";
  const keys = /^keys:/m.test(yaml) ? "" : `keys: [{ name: test, key: ${TEST_KEY} }]\n`;
  const telemetry = /^telemetry:/m.test(yaml) ? "" : "telemetry: { level: error }\n";
  writeFileSync(join(directory, "gateway.yaml"), server + keys + telemetry + yaml);
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(directory, name), text);
  const config = await loadConfig(join(directory, "gateway.yaml"), options.environment ?? {});
  const planned = await plan(config);
  const redactor = new Redactor();
  const log = createLogger({ ...planned.settings.telemetry, redact: redactor.redact });
  const storage = await openStorage(planned.settings.storage, directory);
  const fetchWithin = upstreamFetch({ ownClient: usesOwnClient(), ...options.outbound });
  const built = await build(planned, { log, storage, redactor, fetchWithin }, TOKENS);
  const gateway = { ...built, limits: { ...built.limits, ...options.limits } };
  const listening = listen(gateway, planned.settings.server, options.dialects);
  await gateway.start();
  return {
    url: listening.url,
    baseURL: `${listening.url}/v1`,
    key: TEST_KEY,
    gateway,
    directory,
    chat(body, init = {}) {
      const headers = new Headers({
        authorization: `Bearer ${TEST_KEY}`,
        "content-type": "application/json",
      });
      new Headers(init.headers).forEach((value, name) => headers.set(name, value));
      return fetch(`${listening.url}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify(body),
        ...init,
        headers,
      });
    },
    async [Symbol.asyncDispose]() {
      await listening.stop();
      await gateway.close();
      await storage.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
