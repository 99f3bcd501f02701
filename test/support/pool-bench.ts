import type { Host, KeyValue } from "modelyard/plugin";
import { credentialPool } from "modelyard/credentials";
import type { CredentialPool, Lease, LeaseOptions, PoolOptions } from "modelyard/credentials";
import { FakeClock } from "./fake-clock.ts";
import { memoryStorage, testHost } from "./plugin-host.ts";
import type { TestHost } from "./plugin-host.ts";
import { TokenServer } from "./token-server.ts";
import type { Session, SourceChanges } from "./token-server.ts";

/** What a pool says of itself. */
export interface PoolStatus {
  readonly states: Readonly<Record<string, number>>;
  readonly retired: { readonly configured: number; readonly made: number };
  readonly waiting: number;
  readonly error?: string;
  readonly credentials: readonly {
    readonly id: string;
    readonly state: string;
    readonly leases: number;
    readonly until?: string;
    readonly error?: string;
  }[];
}

/** A pool with all that surrounds it, by a clock that the test holds. */
export class PoolBench {
  readonly clock = new FakeClock();
  readonly server = new TokenServer(this.clock);
  readonly storage: KeyValue = memoryStorage();
  #host: TestHost | undefined;
  #pool: CredentialPool<Session> | undefined;

  /** Builds a pool over the same server and storage; the last one is to be closed before. */
  build(options: Partial<PoolOptions> = {}, source: SourceChanges = {}): this {
    return this.buildIn({}, options, source);
  }

  /** The same, in a host that is partly the test's own. */
  buildIn(host: Partial<Host>, options: Partial<PoolOptions> = {}, source: SourceChanges = {}): this {
    this.#host = testHost({ storage: this.storage, ...host });
    const settings = { min: 1, max: 3, clock: this.clock, random: () => 0.5, ...options };
    this.#pool = credentialPool(this.server.source(source), settings, this.#host.host);
    return this;
  }

  /** Starts the pool and lets it do what it can do at once. */
  async start(): Promise<this> {
    this.pool.start();
    await this.clock.advance(0);
    return this;
  }

  get pool(): CredentialPool<Session> {
    if (!this.#pool) throw new Error("there is no pool yet");
    return this.#pool;
  }

  get host(): TestHost {
    if (!this.#host) throw new Error("there is no host yet");
    return this.#host;
  }

  get status(): PoolStatus {
    return this.pool.status() as unknown as PoolStatus;
  }

  /** The states of all credentials, sorted. */
  get states(): readonly string[] {
    return this.status.credentials.map(({ state }) => state).toSorted();
  }

  /** What was logged at a level, as lines. */
  logged(level: string): readonly string[] {
    return this.host.logs.filter((line) => line.level === level).map((line) => line.message);
  }

  /** A lease for a caller who stays. */
  lease(options?: LeaseOptions): Promise<Lease<Session>> {
    return this.pool.lease({ id: "call", signal: new AbortController().signal }, options);
  }

  /** Asks for a lease, and tells how that stands. */
  ask(options?: LeaseOptions): Asking {
    const leaving = new AbortController();
    return new Asking(this.pool.lease({ id: "call", signal: leaving.signal }, options), leaving);
  }

  /** Closes the pool, letting time pass for what is still at work. */
  async close(): Promise<void> {
    const closed = this.#host?.close();
    await this.clock.advance(10_000);
    await closed;
  }
}

/** Somebody who has asked for a lease. */
export class Asking {
  lease: Lease<Session> | undefined;
  error: unknown;
  readonly settled: Promise<void>;
  readonly #leaving: AbortController;

  constructor(asked: Promise<Lease<Session>>, leaving: AbortController) {
    this.#leaving = leaving;
    this.settled = asked.then(
      (lease) => void (this.lease = lease),
      (error: unknown) => void (this.error = error),
    );
  }

  leave(reason?: unknown): void {
    this.#leaving.abort(reason);
  }

  get waits(): boolean {
    return this.lease === undefined && this.error === undefined;
  }
}
