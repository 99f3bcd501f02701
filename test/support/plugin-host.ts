import { TestStorage } from "../../toolkit/conformance/harness/test-call.ts";
import { originalBody } from "../../src/json/source.ts";
import type { Call, Host, JsonObject, KeyValue, Logger } from "modelyard/plugin";
import { usesOwnClient } from "./http-client.ts";
import { upstreamFetch } from "../../src/host/upstream-fetch.ts";

/** One line that was logged. */
export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: JsonObject | undefined;
}

/** The default of `timeouts.connect`. */
const PATIENCE = { connect: 10_000, first_event: 60_000 };

/** A host made by hand, and what a plugin did with it. */
export interface TestHost {
  readonly host: Host;
  readonly logs: readonly LogLine[];
  /** The values given to `host.secret`. */
  readonly secrets: ReadonlySet<string>;
  /** Aborts `host.signal` and runs the deferred clean-ups, last in, first out; a second time does nothing. */
  close(): Promise<void>;
}

/** A call made by hand, and what a plugin did with it. */
export interface TestCall {
  readonly call: Call;
  /** Aborts `call.signal`; the reason is a plain AbortError unless given. */
  abort(reason?: unknown): void;
  /** Parameter by parameter, the reasons given to `call.ignored`. */
  readonly ignored: ReadonlyMap<string, string>;
  /** How often `call.connected` was called. */
  readonly connected: number;
  /** How often the plugin said that its upstream is at work. */
  readonly alive: number;
  readonly logs: readonly LogLine[];
}

/** A host with the gateway's `fetch` and a store in memory, for a plugin's unit tests. Close it in `finally` or `afterEach`. */
export function testHost(overrides: Partial<Host> = {}): TestHost {
  const closing = new AbortController();
  const cleanups: (() => void | Promise<void>)[] = [];
  const logs: LogLine[] = [];
  const secrets = new Set<string>();
  const host: Host = {
    id: "test",
    log: collectingLogger(logs),
    fetch: upstreamFetch({ ownClient: usesOwnClient() })(PATIENCE),
    signal: closing.signal,
    storage: memoryStorage(),
    secret: (value) => void secrets.add(value),
    defer: (cleanup) => void cleanups.push(cleanup),
    ...overrides,
  };
  const close = async (): Promise<void> => {
    closing.abort(new DOMException("the upstream is closed", "AbortError"));
    for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
  };
  return { host, logs, secrets, close };
}

/** A call that nobody has left yet. */
export function testCall(overrides: Partial<Call> = {}): TestCall {
  const leaving = new AbortController();
  const ignored = new Map<string, string>();
  const logs: LogLine[] = [];
  let connected = 0;
  let alive = 0;
  const call: Call = {
    headers: {},
    id: "test-call",
    attempt: 1,
    log: collectingLogger(logs),
    signal: leaving.signal,
    connected: () => void connected++,
    queued: () => ({ [Symbol.dispose]: () => undefined }),
    alive: () => void alive++,
    originalBody,
    ignored: (parameter, why) => void ignored.set(parameter, why),
    ...overrides,
  };
  return {
    call,
    abort: (reason) => leaving.abort(reason),
    ignored,
    logs,
    get alive() {
      return alive;
    },
    get connected() {
      return connected;
    },
  };
}

/** A `KeyValue` in memory, as the conformance kit has it. */
export function memoryStorage(): KeyValue {
  const storage = new TestStorage();
  return {
    get: (key) => storage.get(key),
    set: (...write) => storage.set(...write),
    delete: (key) => storage.delete(key),
    keys: (prefix) => storage.keys(prefix),
  };
}

function collectingLogger(logs: LogLine[]): Logger {
  const at = (level: keyof Logger) => (message: string, fields?: JsonObject) =>
    void logs.push({ level, message, fields });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
