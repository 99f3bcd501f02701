import { expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { PoolBench } from "../../../test/support/pool-bench.ts";
import type { Asking } from "../../../test/support/pool-bench.ts";
import { Random } from "../../../test/support/random.ts";
import type { SourceChanges, Trouble } from "../../../test/support/token-server.ts";
import type { Lease, PoolOptions } from "./index.ts";
import type { Session } from "../../../test/support/token-server.ts";

/**
 * Anything that may happen to a pool, in any order, and after each event what must hold all the same. What
 * the model knows of a credential comes from what was reported to the pool, not from the pool.
 */

const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);
const EVENTS_PER_SEED = 400;

const WEIGHTS = {
  ask: 24,
  askAlone: 4,
  leave: 4,
  release: 14,
  releaseAndLeave: 2,
  succeed: 10,
  reject: 3,
  revoke: 2,
  limit: 3,
  limitUntil: 3,
  fail: 3,
  trouble: 4,
  moment: 10,
  minute: 8,
  hour: 3,
  night: 1,
  restart: 2,
} as const;

type EventName = keyof typeof WEIGHTS;

interface Held {
  readonly lease: Lease<Session>;
  readonly exclusive: boolean;
  /** Lent while its credential was probing, and nothing has changed that since. */
  probe: boolean;
}

interface Waiting {
  readonly asking: Asking;
  readonly exclusive: boolean;
}

class Model {
  readonly bench = new PoolBench();
  readonly #random: Random;
  readonly #options: Partial<PoolOptions> & { min: number; max: number; leases: number };
  readonly #source: SourceChanges;
  #held: Held[] = [];
  #waiting: Waiting[] = [];
  /** By credential, the earliest time at which it may be lent again. */
  readonly #restUntil = new Map<string, number>();
  /** The first rule that was broken in the moment of lending. */
  #violation: { error: unknown } | undefined;
  readonly counts: Record<string, number> = {};

  constructor(seed: number) {
    const random = new Random(seed);
    this.#random = random;
    const max = random.between(1, 6);
    const leases = random.chance(0.5) ? Infinity : random.between(1, 3);
    this.#options = { min: random.between(0, max), max, leases, random: random.next };
    const accounts = ["one", "two"].slice(random.between(0, 2)).map((id) => this.bench.server.account(id));
    const server = this.bench.server.source();
    this.#source = {
      accounts,
      verify: (session, signal) => {
        // What comes of it may give the credential a new start.
        this.#forgetProbes(session.user);
        return server.verify!(session, signal);
      },
      ...(random.chance(0.2) ? { refresh: undefined } : {}),
      ...(random.chance(0.3) ? { verify: undefined } : {}),
      ...(random.chance(0.2) ? { expiresAt: undefined } : {}),
    };
  }

  async run(events: number): Promise<void> {
    await this.bench.build(this.#options, this.#source).start();
    for (let event = 0; event < events; event++) {
      const name = this.#random.weighted(WEIGHTS);
      await this.#happen(name);
      await this.bench.clock.advance(0);
      this.#check();
      this.counts[name] = (this.counts[name] ?? 0) + 1;
    }
    await this.#recover();
  }

  async #happen(name: EventName): Promise<void> {
    const random = this.#random;
    switch (name) {
      case "ask":
        return this.#ask(false);
      case "askAlone":
        return this.#ask(true);
      case "leave":
        return random.pick(this.#waiting)?.asking.leave("left");
      case "release":
        return this.#release(random.pick(this.#held));
      case "releaseAndLeave":
        this.#release(random.pick(this.#held));
        return this.#waiting[0]?.asking.leave("left in the moment of being served");
      case "succeed":
        return this.#succeed();
      case "reject":
        return this.#report(new UpstreamError("rejected", "bad_jwt"));
      case "revoke":
        return this.#revoke();
      case "limit":
        return this.#limit(undefined);
      case "limitUntil":
        return this.#limit(random.between(1, 200_000));
      case "fail":
        return this.#report(new UpstreamError("failed", "the model fell over"));
      case "trouble":
        return this.#changeTrouble();
      case "moment":
        return this.bench.clock.advance(random.between(0, 3000));
      case "minute":
        return this.bench.clock.advance(random.between(3000, 600_000));
      case "hour":
        return this.bench.clock.advance(random.between(600_000, 3_600_000));
      case "night":
        return this.bench.clock.advance(7 * 3_600_000);
      case "restart":
        return this.#restart();
    }
  }

  #ask(exclusive: boolean): void {
    const asking = this.bench.ask({ exclusive });
    const waiting = { asking, exclusive };
    this.#waiting.push(waiting);
    void asking.settled
      .then(() => this.#settle(waiting))
      .catch((error: unknown) => void (this.#violation ??= { error }));
  }

  /** Somebody got a lease or an error: what is true in that very moment. */
  #settle({ asking, exclusive }: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other.asking !== asking);
    const { lease } = asking;
    if (!lease) return;
    const { server, clock, status } = this.bench;
    const shown = status.credentials.find(({ id, state }) => id === lease.id && state !== "dead");
    expect(shown?.state).toBeOneOf(["fresh", "leased", "probing"]);
    expect(server.retired).not.toContain(lease.id);
    if (!("expiresAt" in this.#source)) {
      expect(lease.credential.expires).toBeGreaterThan(clock.now());
    }
    expect(this.#restUntil.get(lease.id) ?? 0).toBeLessThanOrEqual(clock.now());
    const others = this.#held.filter((held) => held.lease.id === lease.id);
    const probe = shown?.state === "probing";
    if (probe) expect(others.some((held) => held.probe)).toBe(false);
    if (exclusive) expect(others).toEqual([]);
    expect(others.some((held) => held.exclusive)).toBe(false);
    expect(others.length).toBeLessThan(this.#options.leases);
    this.#held.push({ lease, exclusive, probe });
  }

  #release(held: Held | undefined): void {
    if (!held) return;
    held.lease[Symbol.dispose]();
    if (this.#random.chance(0.1)) held.lease[Symbol.dispose]();
    this.#held = this.#held.filter((other) => other !== held);
  }

  #succeed(): void {
    const held = this.#random.pick(this.#held);
    held?.lease.succeeded();
    if (held?.probe) this.#forgetProbes(held.lease.id);
  }

  #report(error: UpstreamError): void {
    const held = this.#random.pick(this.#held);
    if (!held) return;
    held.lease.failed(error);
    if (error.code !== "failed") this.#forgetProbes(held.lease.id);
    if (this.#random.chance(0.7)) this.#release(held);
  }

  #revoke(): void {
    const held = this.#random.pick(this.#held);
    if (held) this.bench.server.revoke(held.lease.id);
    this.#report(new UpstreamError("rejected", "user_banned"));
  }

  #limit(retryAfterMs: number | undefined): void {
    const held = this.#random.pick(this.#held);
    if (!held) return;
    const { id } = held.lease;
    const now = this.bench.clock.now();
    const rests = now < (this.#restUntil.get(id) ?? 0) || this.#stateOf(id) === "cooling";
    const wait = retryAfterMs ?? (rests ? 0 : 5000);
    this.#restUntil.set(id, Math.max(this.#restUntil.get(id) ?? 0, now + wait));
    const options = retryAfterMs === undefined ? {} : { retryAfterMs };
    held.lease.failed(new UpstreamError("rate-limited", "too many", options));
    this.#forgetProbes(id);
  }

  #forgetProbes(id: string): void {
    for (const held of this.#held) if (held.lease.id === id) held.probe = false;
  }

  #changeTrouble(): void {
    const random = this.#random;
    const mood = random.weighted({ healthy: 4, slow: 3, flaky: 3, strict: 2, deadly: 1, outage: 1 });
    const ask = (operation: string): Trouble => {
      this.#checkCount();
      const takes = mood === "healthy" ? 0 : random.between(0, 1500);
      const answers = mood === "healthy" ? 0 : random.between(0, 1500);
      const fails = mood !== "healthy" && mood !== "slow" && random.chance(mood === "outage" ? 1 : 0.6);
      if (!fails) return { takes, answers };
      if (mood === "deadly" && operation === "refresh") {
        return { takes, error: new UpstreamError("bad-request", "refresh_token_not_found") };
      }
      if (mood !== "strict") return { takes, error: new UpstreamError("unavailable", "down") };
      const retry = random.chance(0.5) ? { retryAfterMs: random.between(1, 300_000) } : {};
      return { takes, error: new UpstreamError("rate-limited", "over_request_rate_limit", retry) };
    };
    this.bench.server.trouble = ask;
  }

  async #restart(): Promise<void> {
    await this.bench.close();
    if (this.#random.chance(0.3)) await this.bench.clock.advance(this.#random.between(0, 8 * 3_600_000));
    expect(this.#waiting).toEqual([]);
    for (const held of this.#held) held.lease[Symbol.dispose]();
    this.#held = [];
    expect(this.bench.clock.pending).toBe(0);
    const alive = this.bench.status.credentials.length;
    const { create } = this.bench.server.calls;
    const retired = this.bench.server.retired.length;
    await this.bench.build(this.#options, this.#source).start();
    // Those that can't be refreshed are replaced ahead of their end.
    const lasting = alive - (this.bench.server.retired.length - retired);
    if (!("refresh" in this.#source) && lasting >= this.#options.min) {
      expect(this.bench.server.calls.create).toBe(create);
    }
  }

  #stateOf(id: string): string | undefined {
    return this.bench.status.credentials.find((credential) => credential.id === id)?.state;
  }

  /** What must hold whatever has happened. */
  #check(): void {
    if (this.#violation) throw this.#violation.error;
    const { server, clock, status } = this.bench;
    this.#checkCount();
    expect(server.mostMaking).toBeLessThanOrEqual(1);
    expect(server.reused).toBe(0);
    const lent = status.credentials.reduce((sum, { leases }) => sum + leases, 0);
    expect(lent).toBe(this.#held.length);
    expect(status.waiting).toBe(this.#waiting.length);
    expect(clock.pending).toBeLessThanOrEqual(1 + 2 * (1 + 2 * this.#options.max));
    this.#checkWaiting();
  }

  #checkCount(): void {
    const { states } = this.bench.status;
    const total = Object.values(states).reduce((sum, count) => sum + count, 0);
    expect(total - (states["dead"] ?? 0)).toBeLessThanOrEqual(this.#options.max);
  }

  /** Nobody waits while there is something free for them, and nobody waits for nothing. */
  #checkWaiting(): void {
    const { status, clock } = this.bench;
    const [first] = this.#waiting;
    if (!first) return;
    const { making = 0, refreshing = 0, verifying = 0 } = status.states;
    const lent = status.credentials.some(({ state, leases }) => state !== "dead" && leases > 0);
    expect(making > 0 || refreshing > 0 || verifying > 0 || lent || clock.pending > 0).toBe(true);
    if (refreshing + verifying >= this.#waiting.length) return;
    const room = first.exclusive ? 1 : this.#options.leases;
    const free = status.credentials.filter(({ id, state, leases }) => {
      const alone = this.#held.some((held) => held.lease.id === id && held.exclusive);
      return (state === "fresh" || state === "leased") && leases < room && !alone;
    });
    expect(free).toEqual([]);
  }

  /** The server is well, everybody goes home, a day passes: the pool is as it should be. */
  async #recover(): Promise<void> {
    const { bench } = this;
    bench.server.trouble = () => undefined;
    for (const { asking } of this.#waiting) asking.leave("home");
    for (const held of this.#held) held.lease[Symbol.dispose]();
    this.#held = [];
    await bench.clock.advance(26 * 3_600_000);
    this.#check();
    expect(bench.status.credentials.length).toBeGreaterThanOrEqual(this.#options.min);
    for (const state of bench.states) expect(state).toBeOneOf(["fresh", "probing"]);
    expect(bench.clock.pending).toBeLessThanOrEqual(1);
    const { create, open } = bench.server.calls;
    await bench.close();
    await bench.build(this.#options, this.#source).start();
    // One that can't be refreshed may just have come to its end.
    if (!("refresh" in this.#source)) expect(bench.server.calls).toMatchObject({ create, open });
    await bench.close();
    expect(bench.clock.pending).toBe(0);
  }
}

test(`whatever happens, the rules hold (${SEEDS.length} seeds, ${EVENTS_PER_SEED} events each)`, async () => {
  const counts: Record<string, number> = {};
  const calls = { create: 0, refresh: 0, verify: 0, open: 0, retired: 0 };
  for (const seed of SEEDS) {
    const model = new Model(seed);
    try {
      await model.run(EVENTS_PER_SEED);
    } catch (error) {
      throw new Error(`seed ${seed}, after ${JSON.stringify(model.counts)}`, { cause: error });
    }
    for (const [name, count] of Object.entries(model.counts)) counts[name] = (counts[name] ?? 0) + count;
    const { server } = model.bench;
    for (const name of ["create", "refresh", "verify", "open"] as const) calls[name] += server.calls[name];
    calls.retired += server.retired.length;
  }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  process.stdout.write(`${total} events, seeds 1 to ${SEEDS.length}: ${JSON.stringify({ counts, calls })}\n`);
  expect(total).toBe(SEEDS.length * EVENTS_PER_SEED);
  for (const count of Object.values(calls)) expect(count).toBeGreaterThan(0);
}, 120_000);
