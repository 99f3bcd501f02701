import type { Host, Json, JsonObject } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { CredentialSet } from "./credential-set.ts";
import type { PoolContext } from "./credential-set.ts";
import { countStates, describeEntry, hasCapacity, isExcluded, leastUsed } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { messageOf } from "./health.ts";
import { PoolLease } from "./lease.ts";
import { Provisioner } from "./provisioner.ts";
import { Refresher } from "./refresher.ts";
import { Schedule } from "./schedule.ts";
import { CredentialStore } from "./store.ts";
import { withDefaults } from "./types.ts";
import type {
  CredentialPool,
  CredentialSource,
  Lease,
  LeaseCall,
  LeaseOptions,
  PoolOptions,
} from "./types.ts";

/** How long a call waits for a credential at most, as far as can be foreseen. */
const LONGEST_WAIT = 2000;
/** How long refreshes go on after the upstream was closed, so that rotated tokens aren't lost. */
const CLOSING_GRACE = 5000;
const NONE: ReadonlySet<string> = new Set();

/**
 * Creates a pool of credentials for an upstream: in `open`, to be started in the upstream's `start`. The pool ends with
 * the host. Throws a `RangeError` if the options contradict each other.
 */
export function credentialPool<C extends Json>(
  source: CredentialSource<C>,
  options: PoolOptions,
  host: Host,
): CredentialPool<C> {
  return new Pool(source, options, host);
}

/** A call that waits for a lease. */
type Waiter<C extends Json> = PromiseWithResolvers<Lease<C>> & Required<LeaseOptions>;

/**
 * Every event (a call, a report, the end of background work, a time that has come) ends in one `#turn`, which looks at
 * the whole pool: which calls can be served or must be rejected, what is due, and when to look again.
 */
class Pool<C extends Json> implements CredentialPool<C> {
  readonly #context: PoolContext<C>;
  readonly #set: CredentialSet<C>;
  readonly #refresher: Refresher<C>;
  readonly #provisioner: Provisioner<C>;
  readonly #schedule: Schedule<C>;
  /** In the order of their calls. */
  readonly #waiters = new Set<Waiter<C>>();
  readonly #jobs = new Set<Promise<void>>();
  readonly #closed = new AbortController();
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #phase: "idle" | "loading" | "open" = "idle";

  constructor(source: CredentialSource<C>, options: PoolOptions, host: Host) {
    const settings = withDefaults(options);
    this.#context = {
      source,
      settings,
      host,
      store: new CredentialStore<C>(host, settings.clock),
      signal: AbortSignal.any([host.signal, this.#closed.signal]),
      now: () => settings.clock.now(),
      waiters: this.#waiters,
      run: (job) => this.#run(job),
      onChange: () => this.#turn(),
    };
    this.#set = new CredentialSet(this.#context);
    this.#provisioner = new Provisioner(this.#context, this.#set);
    this.#schedule = new Schedule(this.#context, this.#set, this.#provisioner);
    this.#refresher = new Refresher(this.#context, this.#set, this.#schedule);
    this.#context.signal.addEventListener("abort", () => this.#close(), { once: true });
    host.defer(() => this.#finish());
  }

  start(): void {
    if (this.#phase !== "idle" || this.#isClosed) return;
    this.#phase = "loading";
    this.#run(this.#restore());
  }

  async lease(call: LeaseCall, { exclusive = false, except = NONE }: LeaseOptions = {}): Promise<Lease<C>> {
    const { signal } = call;
    signal.throwIfAborted();
    this.#context.signal.throwIfAborted();
    const waiter = { exclusive, except, ...Promise.withResolvers<Lease<C>>() };
    this.#waiters.add(waiter);
    const onAbort = (): void => {
      this.#reject(waiter, signal.reason);
      this.#turn();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#turn();
    using _wait = this.#waiters.has(waiter) ? call.queued?.() : undefined;
    try {
      const lease = await waiter.promise;
      // A call that is aborted while it is served must give the credential back.
      if (signal.aborted) lease[Symbol.dispose]();
      signal.throwIfAborted();
      return lease;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  isAvailable({ exclusive = false, except = NONE }: LeaseOptions = {}): boolean {
    if (this.#phase !== "open" || this.#isClosed) return false;
    const { settings } = this.#context;
    return this.#set
      .lendable(this.#context.now())
      .some((entry) => !isExcluded(entry, except) && hasCapacity(entry, exclusive, settings));
  }

  mayBecomeAvailable({ except = NONE }: Pick<LeaseOptions, "except"> = {}): boolean {
    if (this.#phase !== "open" || this.#isClosed) return false;
    const now = this.#context.now();
    return this.#schedule.usableFrom(now, except) <= now + LONGEST_WAIT;
  }

  status(): JsonObject {
    const now = this.#context.now();
    const entries = this.#set.all();
    const { problem, retired } = this.#set;
    return {
      states: { ...countStates(entries, now), making: this.#provisioner.isBusy ? 1 : 0 },
      retired: { ...retired },
      waiting: this.#waiters.size,
      ...(problem !== undefined && { error: messageOf(problem) }),
      credentials: entries.map((entry) => describeEntry(entry, now)),
    };
  }

  async #restore(): Promise<void> {
    const { source, settings, store, host } = this.#context;
    const { credentials, unopened } = await store.restore(source);
    for (const [id, record] of credentials.slice(0, settings.max)) this.#set.add(id, record, "restored");
    if (this.#set.live.size > 0) host.log.info("credentials restored", { count: this.#set.live.size });
    this.#provisioner.expect(unopened);
    this.#phase = "open";
  }

  #turn(): void {
    if (this.#phase !== "open" || this.#isClosed) return;
    const now = this.#context.now();
    this.#serve(now);
    this.#refresher.beginDue(now);
    // One more credential, if it is wanted and there is room.
    const origin = this.#schedule.nextOrigin(now);
    if (origin && this.#provisioner.retryAt(origin) <= now) this.#run(this.#provisioner.provide(origin));
    this.#rejectUnservable(now);
    this.#wakeAt(this.#schedule.nextEvent(now));
  }

  /** Serves waiting calls in their order. */
  #serve(now: number): void {
    const lendable = this.#set.lendable(now);
    const reserved = new Set<Entry<C>>();
    for (const waiter of this.#waiters) {
      const { exclusive, except } = waiter;
      const open = lendable.filter((entry) => !reserved.has(entry) && !isExcluded(entry, except));
      const free = leastUsed(open.filter((entry) => hasCapacity(entry, exclusive, this.#context.settings)));
      if (free) {
        this.#waiters.delete(waiter);
        waiter.resolve(new PoolLease(this.#context, this.#set, this.#set.lend(free, exclusive)));
      } else if (except.size > 0) continue;
      else if (!exclusive) return;
      else if (!this.#provisioner.isBusy) {
        // Without a reservation shared leases would keep each credential busy, and an exclusive one would wait for ever.
        const next = leastUsed(open);
        if (next) reserved.add(next);
      }
    }
  }

  /** Rejects the calls that would wait for too long, and says when to come back. */
  #rejectUnservable(now: number): void {
    if (this.#waiters.size === 0) return;
    const { problem } = this.#set;
    const reason = problem === undefined ? "" : `: ${messageOf(problem)}`;
    // Most calls exclude nothing: their time is computed once.
    const common = this.#schedule.usableFrom(now, NONE);
    for (const waiter of this.#waiters) {
      const { except } = waiter;
      const from = except.size > 0 ? this.#schedule.usableFrom(now, except) : common;
      if (from <= now + LONGEST_WAIT) continue;
      const options = from === Infinity ? {} : { retryAfterMs: from - now };
      const message = `no credential is available${reason}`;
      this.#reject(waiter, new UpstreamError("no-credential", message, { cause: problem, ...options }));
    }
  }

  #reject(waiter: Waiter<C>, reason: unknown): void {
    this.#waiters.delete(waiter);
    waiter.reject(reason);
  }

  #run(job: Promise<void>): void {
    const tracked = job.then(() => {
      this.#jobs.delete(tracked);
      this.#turn();
    });
    this.#jobs.add(tracked);
  }

  /** Resolves when no background work runs any more, including work that began meanwhile. */
  async #idle(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs);
  }

  /** Takes a turn at that time instead of any other that was set; Infinity: never. */
  #wakeAt(at: number): void {
    if (at === (this.#timer?.at ?? Infinity)) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (at === Infinity) return;
    const cancel = this.#context.settings.clock.after(Math.max(0, at - this.#context.now()), () => {
      this.#timer = undefined;
      this.#turn();
    });
    this.#timer = { at, cancel };
  }

  #close(): void {
    this.#wakeAt(Infinity);
    for (const waiter of this.#waiters) this.#reject(waiter, this.#context.signal.reason);
  }

  /** Waits for the background work, and stores what isn't stored yet. */
  async #finish(): Promise<void> {
    this.#closed.abort(new UpstreamError("unavailable", "the upstream is closed"));
    const cancel = this.#context.settings.clock.after(CLOSING_GRACE, () => this.#refresher.abort());
    await this.#idle();
    cancel();
    this.#refresher.saveAll();
    await this.#idle();
  }

  get #isClosed(): boolean {
    return this.#context.signal.aborted;
  }
}
