import { GatewayError } from "../errors/gateway-error.ts";
import { CancelSource } from "../runtime/cancel-source.ts";
import type { GatewayLogger } from "../log.ts";
import type { ByteBudget } from "../limits/byte-budget.ts";
import type {
  AttemptUsage,
  DispatchContext,
  DispatchFacts,
  SharedBill,
} from "../attempts/dispatch-context.ts";
import type { EventBuffer } from "./event-buffer.ts";
import { Broadcast } from "./broadcast.ts";
import type { BroadcastReader } from "./broadcast.ts";
import type { Answer, Provenance } from "../attempts/answer.ts";

/** A request that waits for a shared answer. */
export interface Subscriber {
  /** Cancelled when its client leaves; the reason is this request's alone. */
  readonly cancellation: CancelSource<GatewayError>;
  /** Called with everything that becomes known of the upstream call, also with what was known before it subscribed. */
  note(facts: DispatchFacts): void;
  /** Called once, with the shared attempts that count as its own from now on. */
  share(bill: SharedBill): void;
}

export interface SharedCallOptions {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly log: GatewayLogger;
  /** Asks the upstreams. */
  readonly ask: (context: DispatchContext) => Promise<Answer>;
  /** The budget of memory from which the answer is kept while it is under way. */
  readonly room: ByteBudget;
  /** The most that is kept of it, in bytes. */
  readonly maxSize: number;
  /** Called once when nobody can join any more: all have left, it is over, or the answer is too large. */
  readonly shut: () => void;
  /** Called with the whole answer at its end. */
  readonly complete: (answered: Provenance, events: EventBuffer) => void;
}

interface Begun {
  readonly answered: Provenance;
  readonly broadcast: Broadcast;
}

/**
 * One upstream call that several requests share (single-flight). It belongs to none of them: it ends by itself, or is
 * cancelled when the last subscriber has left. Its failure is the failure of all. One subscriber pays for it; when that
 * one leaves before the end, another one does.
 */
export class SharedCall implements DispatchContext {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly log: GatewayLogger;
  readonly gone: GatewayError = new GatewayError("client_closed_request", "all who waited for it left");
  readonly #options: SharedCallOptions;
  readonly cancellation: CancelSource<GatewayError> = new CancelSource();
  readonly #started = performance.now();
  readonly #seats = new Set<Subscription>();
  readonly #used: AttemptUsage[] = [];
  #payer: Subscription | undefined;
  #facts: DispatchFacts | undefined;
  #begun: Begun | undefined;
  #isShut = false;

  constructor(options: SharedCallOptions) {
    this.id = options.id;
    this.headers = options.headers;
    this.log = options.log;
    this.#options = options;
    Promise.try(() => options.ask(this)).then(this.#begin, this.#fail);
  }

  get age(): number {
    return performance.now() - this.#started;
  }

  note(facts: DispatchFacts): void {
    const queuedMs = (this.#facts?.queuedMs ?? 0) + (facts.queuedMs ?? 0);
    this.#facts = { ...this.#facts, ...facts, ...(queuedMs > 0 && { queuedMs }) };
    for (const { subscriber } of this.#seats) subscriber.note(facts);
  }

  used(usage: AttemptUsage): void {
    this.#used.push(usage);
  }

  /**
   * Resolves with the answer, from its beginning on, once an upstream has committed to it. Rejects with the upstreams'
   * failure, or with the subscriber's own reason to leave.
   */
  subscribe(subscriber: Subscriber, cache: Answer["cache"]): Promise<Answer> {
    const pays = () => this.#payer === subscription;
    const subscription: Subscription = new Subscription(subscriber, {
      cache,
      over: (early) => this.#unsubscribe(subscription, early),
      pays,
    });
    subscriber.share({ used: this.#used, pays });
    this.#seats.add(subscription);
    this.#payer ??= subscription;
    if (this.#facts) subscriber.note(this.#facts);
    if (this.#begun) subscription.begin(this.#begun);
    subscriber.cancellation.listen(subscription.left);
    return subscription.answer;
  }

  /** An upstream has committed: all get their readers before any of them reads. */
  readonly #begin = (answer: Answer): void => {
    const { content, upstream, upstreamModel, attempts, ignored } = answer;
    const answered = { upstream, upstreamModel, attempts, ignored };
    const { room, maxSize, complete } = this.#options;
    const broadcast = new Broadcast(content, {
      room,
      maxSize,
      outgrown: () => this.#shut(),
      ended: (whole) => {
        if (whole) complete(answered, whole);
        this.#shut();
      },
    });
    this.#begun = { answered, broadcast };
    for (const subscription of this.#seats) subscription.begin(this.#begun);
    if (this.#seats.size === 0) broadcast.close();
  };

  readonly #fail = (error: unknown): void => {
    this.#shut();
    for (const subscription of this.#seats) subscription.fail(error);
  };

  #unsubscribe(subscription: Subscription, early: boolean): void {
    this.#seats.delete(subscription);
    const [other] = this.#seats;
    if (other && early && this.#payer === subscription) this.#payer = other;
    if (other) return;
    this.#shut();
    this.cancellation.cancel(this.gone);
  }

  #shut(): void {
    if (this.#isShut) return;
    this.#isShut = true;
    this.#options.shut();
  }
}

interface SubscriptionOptions {
  /** How the answer of this subscriber relates to the cache. */
  readonly cache: Answer["cache"];
  /** Called once when the subscriber detaches; `early` is true before the answer ended. */
  readonly over: (early: boolean) => void;
  readonly pays: () => boolean;
}

/** One subscription, from `subscribe` to the end of the answer or until its client leaves. */
class Subscription {
  readonly subscriber: Subscriber;
  readonly #options: SubscriptionOptions;
  readonly #answer = Promise.withResolvers<Answer>();
  #reader: BroadcastReader | undefined;
  #isOver = false;

  constructor(subscriber: Subscriber, options: SubscriptionOptions) {
    this.subscriber = subscriber;
    this.#options = options;
  }

  get answer(): Promise<Answer> {
    return this.#answer.promise;
  }

  begin({ answered, broadcast }: Begun): void {
    this.#reader = broadcast.read(this.#over);
    const { cache, pays } = this.#options;
    this.#answer.resolve({ ...answered, content: this.#reader, cache, pays });
  }

  /** Rejects the answer: no upstream has committed to one. */
  fail(error: unknown): void {
    this.#answer.reject(error);
    this.#over(false);
  }

  readonly left = (): void => {
    const { reason } = this.subscriber.cancellation;
    this.#answer.reject(reason);
    if (this.#reader) this.#reader.leave(reason);
    else this.#over(true);
  };

  readonly #over = (early: boolean): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.subscriber.cancellation.forget(this.left);
    this.#options.over(early);
  };
}
