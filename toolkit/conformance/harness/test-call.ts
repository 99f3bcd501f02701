import type {
  Call,
  Host,
  Json,
  JsonObject,
  KeyValue,
  Logger,
  SetOptions,
  StoredValue,
} from "../../../src/contract/index.ts";
import type { TestBody } from "./test-native-request.ts";
import { describeError } from "./verdict.ts";
import { TIMED_OUT, withTimeout } from "./timing.ts";

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Storage in memory that outlives the upstreams that use it, and counts writes. */
export class TestStorage implements KeyValue {
  writes = 0;
  readonly #stored = new Map<string, StoredValue & { readonly expires: number }>();

  async get(key: string): Promise<StoredValue | undefined> {
    const { value, version } = this.#unexpired(key) ?? {};
    return version === undefined ? undefined : structuredClone({ value: value ?? null, version });
  }

  async set(
    key: string,
    value: Json,
    { ifVersion, expiresIn = Infinity }: SetOptions = {},
  ): Promise<number | undefined> {
    this.writes += 1;
    if (ifVersion !== undefined && ifVersion !== (this.#unexpired(key)?.version ?? 0)) return undefined;
    const version = (this.#stored.get(key)?.version ?? 0) + 1;
    this.#stored.set(key, structuredClone({ value, version, expires: Date.now() + expiresIn }));
    return version;
  }

  async delete(key: string): Promise<void> {
    this.writes += 1;
    this.#stored.delete(key);
  }

  async keys(prefix = ""): Promise<readonly string[]> {
    const keys = [...this.#stored.keys()].filter((key) => key.startsWith(prefix) && this.#unexpired(key));
    return keys.toSorted();
  }

  #unexpired(key: string) {
    const stored = this.#stored.get(key);
    return stored && Date.now() < stored.expires ? stored : undefined;
  }
}

/** The host of one opened upstream, with everything the plugin did with it. */
export class TestHost {
  readonly host: Host;
  /** Every log line, with its fields, as text. */
  readonly lines: string[] = [];
  /** The values passed to `host.secret()`. */
  readonly secrets = new Set<string>();
  /** The errors of deferred clean-ups, as text. */
  readonly faults: string[] = [];
  readonly #closing = new AbortController();
  readonly #cleanups: (() => void | Promise<void>)[] = [];
  readonly #patience: number;

  constructor(storage: KeyValue, patience: number) {
    this.#patience = patience;
    this.host = {
      id: "under-test",
      log: loggerTo(this.lines),
      fetch: Object.assign(this.#fetch, { preconnect: fetch.preconnect }),
      signal: this.#closing.signal,
      storage,
      secret: (value) => void this.secrets.add(value),
      defer: (cleanup) => void this.#cleanups.push(cleanup),
    };
  }

  /** Closes as the gateway does: aborts the signal, then runs the deferred clean-ups in reverse order. */
  async close(): Promise<void> {
    this.#closing.abort(new DOMException("the upstream is being closed", "AbortError"));
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) {
      const run = cleanup;
      try {
        const outcome = await withTimeout((async () => run())(), this.#patience);
        if (outcome === TIMED_OUT) this.faults.push("a deferred clean-up doesn't end");
      } catch (error) {
        this.faults.push(`a deferred clean-up failed with ${describeError(error)}`);
      }
    }
  }

  /** Refuses addresses outside this machine, which the fixtures must have forgotten to replace. */
  readonly #fetch = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input);
    if (!LOOPBACK.has(new URL(url).hostname))
      throw new Error(`the kit is offline, and the plugin asks ${url}`);
    return fetch(input, init);
  };
}

/** The call of one request, with everything the plugin did with it. */
export class TestCall {
  readonly call: Call;
  /** The parameters passed to `call.ignored`, with their reasons. */
  readonly ignored = new Map<string, string>();
  /** How often the plugin called `alive` and `queued`. */
  readonly signals = { alive: 0, queued: 0 };
  /** Called when the plugin calls `queued`. */
  onQueued: () => void = () => undefined;
  readonly #leaving = new AbortController();

  /** `own`: the body of the client's request, which the kit's own requests don't have. */
  constructor(lines: string[], own?: TestBody) {
    this.call = {
      id: "test-request",
      headers: {},
      attempt: 1,
      log: loggerTo(lines),
      signal: this.#leaving.signal,
      connected: () => undefined,
      queued: () => {
        this.signals.queued += 1;
        this.onQueued();
        return { [Symbol.dispose]: () => undefined };
      },
      alive: () => void (this.signals.alive += 1),
      originalBody: (body) => (body === own?.json ? new TextEncoder().encode(own?.text) : undefined),
      ignored: (parameter, why) => void this.ignored.set(parameter, why),
    };
  }

  /** Aborts the call, as a disconnecting client does. */
  abort(): void {
    this.#leaving.abort(new DOMException("the client has left", "AbortError"));
  }
}

function loggerTo(lines: string[]): Logger {
  const at = (level: string) => (message: string, fields?: JsonObject) =>
    void lines.push(`${level}: ${message} ${JSON.stringify(fields ?? {})}`);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
