import type { Host, Json, JsonObject } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { Alarm } from "./alarm.ts";
import { messageOf } from "./backoff.ts";
import { hasRoom, leastUsed, isExcluded, isUsable, isTrusted, refreshAt } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { withDefaults } from "./context.ts";
import type { PoolContext } from "./context.ts";
import { Jobs } from "./jobs.ts";
import { PoolLease } from "./lease.ts";
import { load } from "./load.ts";
import { Schedule } from "./schedule.ts";
import { Queue } from "./queue.ts";
import type { Waiter } from "./queue.ts";
import { CredentialSet } from "./credential-set.ts";
import { statusOf } from "./status.ts";
import { CredentialStore } from "./store.ts";
import { Provisioner } from "./provisioner.ts";
import { Refresher } from "./refresher.ts";
import type {
  CredentialPool,
  CredentialSource,
  Lease,
  LeaseCall,
  LeaseOptions,
  PoolOptions,
} from "./types.ts";

/** Somebody waits rather than being sent away if a credential may be usable within this time. */
const GRACE = 2000;
const NONE: ReadonlySet<string> = new Set();

/**
 * A pool of credentials for an upstream. Build it in `open`, start it in `start`; it ends with the host. A
 * RangeError if the options contradict each other.
 */
export function credentialPool<C extends Json>(
  source: CredentialSource<C>,
  options: PoolOptions,
  host: Host,
): CredentialPool<C> {
  return new Pool(source, options, host);
}

/**
 * Whatever happens (somebody asks, something is given back, work is done, time passes) ends in one `#turn`,
 * which looks at the whole: who can be served, what is due, who has no hope, and when to look again.
 */
class Pool<C extends Json> implements CredentialPool<C> {
  readonly #environment: PoolContext<C>;
  readonly #roster: CredentialSet<C>;
  readonly #upkeep: Refresher<C>;
  readonly #supply: Provisioner<C>;
  readonly #outlook: Schedule<C>;
  readonly #queue = new Queue<Lease<C>>();
  readonly #alarm: Alarm;
  readonly #closing = new AbortController();
  #phase: "idle" | "loading" | "open" = "idle";

  constructor(source: CredentialSource<C>, options: PoolOptions, host: Host) {
    const settings = withDefaults(options);
    const store = new CredentialStore<C>(host, settings.clock);
    const { signal } = this.#closing;
    this.#environment = { source, settings, host, store, jobs: new Jobs(), signal };
    this.#roster = new CredentialSet(this.#environment, {
      proved: () => this.#supply.proved(),
      wasted: (error) => this.#supply.wasted(error),
    });
    this.#upkeep = new Refresher(this.#environment, this.#roster, () => this.#turn());
    this.#supply = new Provisioner(this.#environment, this.#roster);
    this.#outlook = new Schedule(this.#environment, {
      roster: this.#roster,
      supply: this.#supply,
      queue: this.#queue,
    });
    this.#alarm = new Alarm(settings.clock, () => this.#turn());
    this.#closeWith(host);
  }

  start(): void {
    if (this.#phase !== "idle" || this.#closing.signal.aborted) return;
    this.#phase = "loading";
    this.#environment.jobs.run(this.#open());
  }

  async lease(call: LeaseCall, options: LeaseOptions = {}): Promise<Lease<C>> {
    const { signal } = call;
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const waiter = this.#queue.join(options);
    const leave = (): void => {
      this.#queue.dismiss(waiter, signal.reason);
      this.#turn();
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#turn();
    using _wait = this.#queue.has(waiter) ? call.queued?.() : undefined;
    try {
      const lease = await waiter.promise;
      // Who left in the moment of being served must not take the credential away with them.
      if (signal.aborted) lease[Symbol.dispose]();
      signal.throwIfAborted();
      return lease;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  isAvailable({ exclusive = false, except = NONE }: LeaseOptions = {}): boolean {
    if (this.#phase !== "open" || this.#closing.signal.aborted) return false;
    const now = this.#now();
    return this.#lendable(now).some(
      (entry) => !isExcluded(entry, except) && hasRoom(entry, exclusive, this.#environment.settings),
    );
  }

  mayBecomeAvailable({ except = NONE }: Pick<LeaseOptions, "except"> = {}): boolean {
    if (this.#phase !== "open" || this.#closing.signal.aborted) return false;
    const now = this.#now();
    return this.#outlook.hope(now, except) <= now + GRACE;
  }

  status(): JsonObject {
    return statusOf({
      entries: this.#roster.everyone(),
      making: this.#supply.making,
      waiting: this.#queue.size,
      problem: this.#supply.problem,
      retired: this.#roster.retired,
      now: this.#now(),
    });
  }

  async #open(): Promise<void> {
    this.#supply.expect(await load(this.#environment, this.#roster));
    this.#phase = "open";
    this.#turn();
  }

  #turn(): void {
    if (this.#phase !== "open" || this.#closing.signal.aborted) return;
    const now = this.#now();
    this.#serve(now);
    this.#maintain(now);
    this.#verify(now);
    this.#grow(now);
    this.#dismissHopeless(now);
    this.#alarm.set(this.#outlook.nextEvent(now));
  }

  /** Lends what is free to those who wait, in their order. */
  #serve(now: number): void {
    const { settings } = this.#environment;
    const good = this.#lendable(now);
    const reserved = new Set<Entry<C>>();
    for (const waiter of this.#queue) {
      const open = good.filter((entry) => !reserved.has(entry) && !isExcluded(entry, waiter.except));
      const free = leastUsed(open.filter((entry) => hasRoom(entry, waiter.exclusive, settings)));
      if (free) this.#queue.serve(waiter, this.#lend(free, waiter));
      else if (waiter.except.size > 0) continue;
      else if (!waiter.exclusive) return;
      else if (!this.#supply.making) {
        // Or else those who share would keep each credential busy, and who wants one alone would wait for ever.
        const next = leastUsed(open);
        if (next) reserved.add(next);
      }
    }
  }

  #lendable(now: number): readonly Entry<C>[] {
    return [...this.#roster.live()].filter((entry) => isUsable(entry, now) && this.#isTrusted(entry, now));
  }

  #lend(entry: Entry<C>, waiter: Waiter<Lease<C>>): Lease<C> {
    return new PoolLease({
      entry,
      loan: this.#roster.lend(entry, waiter.exclusive),
      roster: this.#roster,
      jobs: this.#environment.jobs,
      clock: this.#environment.settings.clock,
      closing: this.#closing.signal,
      changed: () => this.#turn(),
    });
  }

  /** Begins what is due: refreshing, storing, and retiring what has expired and can't be refreshed. */
  #maintain(now: number): void {
    const { source, settings } = this.#environment;
    for (const entry of this.#roster.live()) {
      if (!source.refresh && now >= entry.expiresAt) this.#roster.retire(entry, "it has expired");
      else if (entry.work !== undefined) continue;
      else if (source.refresh && now >= refreshAt(entry, settings.refreshBefore)) this.#upkeep.refresh(entry);
      else if (entry.saveAt !== undefined && now >= entry.saveAt) this.#upkeep.save(entry);
    }
  }

  /** Verifies those that are suspected, and as many long unused ones as there are people waiting for more. */
  #verify(now: number): void {
    for (const entry of this.#roster.live()) {
      if (entry.work !== undefined || !isUsable(entry, now) || this.#isTrusted(entry, now)) continue;
      if (entry.trust === "suspect" || this.#outlook.unmet(now) > 0) this.#upkeep.verify(entry);
    }
  }

  /** Makes one more if there is room and anybody or anything wants it. */
  #grow(now: number): void {
    const way = this.#outlook.nextWay(now);
    if (!way || way.backoff.until > now) return;
    this.#environment.jobs.run(this.#supply.make(way).then(() => this.#turn()));
  }

  /** Sends those away who would wait for longer than the grace, and says when to come back. */
  #dismissHopeless(now: number): void {
    const { problem } = this.#supply;
    const why = problem === undefined ? "" : `: ${messageOf(problem)}`;
    // Most want any credential: what they may hope for is worked out once.
    let common: number | undefined;
    for (const waiter of this.#queue) {
      const isChoosy = waiter.except.size > 0;
      const hope = isChoosy
        ? this.#outlook.hope(now, waiter.except)
        : (common ??= this.#outlook.hope(now, waiter.except));
      if (hope <= now + GRACE) continue;
      const options = hope === Infinity ? {} : { retryAfterMs: hope - now };
      const message = `no credential can be used at present${why}`;
      this.#queue.dismiss(
        waiter,
        new UpstreamError("no-credential", message, { cause: problem, ...options }),
      );
    }
  }

  #isTrusted(entry: Entry<C>, now: number): boolean {
    const { source, settings } = this.#environment;
    return !source.verify || isTrusted(entry, now, settings.verifyAfter);
  }

  #closeWith(host: Host): void {
    const abort = (): void => this.#close(host.signal.reason);
    if (host.signal.aborted) abort();
    host.signal.addEventListener("abort", abort, { once: true });
    host.defer(async () => {
      host.signal.removeEventListener("abort", abort);
      this.#close(new UpstreamError("unavailable", "the upstream is closed"));
      await this.#upkeep.finish();
    });
  }

  #close(reason: unknown): void {
    this.#closing.abort(reason);
    this.#alarm.set(Infinity);
    for (const waiter of this.#queue) this.#queue.dismiss(waiter, this.#closing.signal.reason);
  }

  #now(): number {
    return this.#environment.settings.clock.now();
  }
}
