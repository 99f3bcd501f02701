/**
 * An emulator of the langfa.st service: Supabase auth, edge function and rpc over HTTP, the prompt runner
 * over Socket.IO. It checks every call, and a script says what goes wrong.
 * @module
 */
import { Accounts } from "./auth.ts";
import { Journal } from "./journal.ts";
import type { CallName, Counts, RunRecord, UserRecord } from "./records.ts";
import { Runner } from "./runner.ts";
import { Runs } from "./runs.ts";
import type { EmulatorScript } from "./script.ts";
import { Service } from "./service.ts";

export type { CallName, Counts, RunRecord, RunState, UserRecord } from "./records.ts";
export { defaultAnswer, everyUnits, generatedText, inPieces } from "./text.ts";
export type { CallFault, CallScript, EmulatorScript, RunFault, RunScript } from "./script.ts";

export interface Emulator extends AsyncDisposable {
  readonly supabaseUrl: string;
  readonly socketUrl: string;
  readonly anonKey: string;
  /** What was done so far. */
  readonly counts: Readonly<Counts>;
  /** How often each call came, refused ones included. */
  readonly calls: Readonly<Record<CallName, number>>;
  /** Sockets open now. */
  readonly sockets: number;
  /** Sockets that were ever open. */
  readonly socketsOpened: number;
  /** The last 2,000 runs, in the order in which they began. */
  readonly runs: readonly RunRecord[];
  /** The last 10,000 users, in the order in which they signed up. */
  readonly users: readonly UserRecord[];
  /** What no client of this service should do, in words; the first 1,000. Tests expect it empty. */
  readonly violations: readonly string[];
  /** What happens next. */
  script: EmulatorScript;
  /** Makes a user's access token and refresh token worthless. */
  revoke(userId: string): void;
  /** Makes a user's access tokens of today worthless; the refresh token stays good. */
  expireAccess(userId: string): void;
  /** Cuts all sockets, or one user's: "transport close" for the client. */
  dropSockets(userId?: string): void;
  /** Sends all sockets away, or one user's: "io server disconnect" for the client, which doesn't come back by itself. */
  disconnectSockets(userId?: string): void;
  /** Emits anything to a user's sockets. */
  emit(userId: string, event: string, ...payload: readonly unknown[]): void;
  /** Resolves when `predicate` is true, asked again at each thing that happens; rejects after 5 s with `what`. */
  waitFor(predicate: () => boolean, what: string): Promise<void>;
}

export interface EmulatorOptions {
  /** Default "emulator". */
  readonly anonKey?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** Default: any free one. */
  readonly socketPort?: number;
  /** Seconds that an access token is good for. Default 3600. */
  readonly tokenLifetime?: number;
  /** Milliseconds since 1970, for the tokens' `exp`. Default Date.now. */
  readonly now?: () => number;
  readonly script?: EmulatorScript;
}

/** Starts the service on 127.0.0.1; `await using` stops it. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const stop = new AbortController();
  const journal = new Journal();
  const accounts = new Accounts(journal, options.now ?? Date.now, options.tokenLifetime ?? 3600);
  const state = { script: options.script ?? {} };
  const script = (): EmulatorScript => state.script;
  const runs = new Runs({ journal, script, runner: () => runner });
  const left = (userId: string): void => runs.abandon(userId);
  const runner = await Runner.listen(options.socketPort ?? 0, {
    journal,
    accounts,
    script,
    left,
    signal: stop.signal,
  });
  const anonKey = options.anonKey ?? "emulator";
  const service = new Service({ anonKey, journal, accounts, runs, script, signal: stop.signal });
  const http = await serve(service, options.port ?? 0, runner);
  return {
    supabaseUrl: `http://127.0.0.1:${http.port}`,
    socketUrl: `http://127.0.0.1:${runner.port}`,
    anonKey,
    counts: journal.counts,
    calls: journal.calls,
    violations: journal.violations,
    runs: runs.records,
    get users() {
      return accounts.all;
    },
    get sockets() {
      return runner.open;
    },
    get socketsOpened() {
      return runner.opened;
    },
    get script() {
      return state.script;
    },
    set script(next) {
      state.script = next;
    },
    revoke: (userId) => void (accounts.get(userId).isRevoked = true),
    expireAccess: (userId) => void accounts.get(userId).epoch++,
    dropSockets: (userId) => runner.drop(userId),
    disconnectSockets: (userId) => runner.disconnect(userId),
    emit: (userId, event, ...payload) => runner.emit(userId, { event, payload }),
    waitFor: (predicate, what) => journal.waitFor(predicate, what),
    async [Symbol.asyncDispose]() {
      stop.abort();
      journal[Symbol.dispose]();
      runs[Symbol.dispose]();
      await http.stop(true);
      await runner[Symbol.asyncDispose]();
    },
  };
}

/** Serves HTTP; if that can't be, the runner is closed again. */
async function serve(service: Service, port: number, runner: Runner): Promise<Bun.Server<undefined>> {
  try {
    return Bun.serve({
      hostname: "127.0.0.1",
      port,
      // A call that hangs must hang for as long as the client waits.
      idleTimeout: 0,
      fetch: (request) => service.handle(request),
    });
  } catch (error) {
    await runner[Symbol.asyncDispose]();
    throw error;
  }
}
