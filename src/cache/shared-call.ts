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
import type { AnsweredBy, UpstreamAnswer } from "../attempts/upstream-answer.ts";

/** Who waits for a shared answer. */
export interface Subscription {
  /** Cancelled when they leave; the reason is theirs alone. */
  readonly cancellation: CancelSource<GatewayError>;
  /** Told all that becomes known of the call to the upstream, whenever they came. */
  note(facts: DispatchFacts): void;
  /** Called once: from now on its attempts are the shared ones. */
  share(bill: SharedBill): void;
}

/** One passenger's part in a shared answer. */
export interface SharedAnswer extends UpstreamAnswer {
  /** Whether it is this passenger who pays for the upstream's work, now. */
  pays(): boolean;
}

export interface SharedCallOptions {
  readonly id: string;
  readonly log: GatewayLogger;
  /** Asks the upstreams. */
  readonly ask: (errand: DispatchContext) => Promise<UpstreamAnswer>;
  /** Where the room comes from that the answer takes while it is under way. */
  readonly room: ByteBudget;
  /** The most that is kept of it, in bytes. */
  readonly maxSize: number;
  /** Told once: nobody can join any more, because all have left, it is over, or the answer is too large. */
  readonly shut: () => void;
  /** Given the whole answer, once it is there. */
  readonly complete: (answered: AnsweredBy, events: EventBuffer) => void;
}

interface Begun {
  readonly answered: AnsweredBy;
  readonly recording: Broadcast;
}

/**
 * One call to the upstreams that any number of requests share. It belongs to none of them: it ends by itself, or
 * when the last one has left. Its failure is the failure of all. One of those on board pays for it; when that one
 * leaves before the end, one of those that remain does.
 */
export class SharedCall implements DispatchContext {
  readonly id: string;
  readonly log: GatewayLogger;
  readonly gone: GatewayError = new GatewayError("client_closed_request", "all who waited for it left");
  readonly #options: SharedCallOptions;
  readonly cancellation: CancelSource<GatewayError> = new CancelSource();
  readonly #started = performance.now();
  readonly #seats = new Set<Subscriber>();
  readonly #used: AttemptUsage[] = [];
  #payer: Subscriber | undefined;
  #facts: DispatchFacts | undefined;
  #begun: Begun | undefined;
  #isShut = false;

  constructor(options: SharedCallOptions) {
    this.id = options.id;
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
    for (const { passenger } of this.#seats) passenger.note(facts);
  }

  used(usage: AttemptUsage): void {
    this.#used.push(usage);
  }

  /**
   * The answer for one more passenger, from its beginning on, as soon as an upstream has committed to it. Rejects
   * with the upstreams' failure, or with the passenger's own reason to leave.
   */
  board(passenger: Subscription): Promise<SharedAnswer> {
    const pays = () => this.#payer === seat;
    const seat: Subscriber = new Subscriber(passenger, { over: (early) => this.#vacate(seat, early), pays });
    passenger.share({ used: this.#used, pays });
    this.#seats.add(seat);
    this.#payer ??= seat;
    if (this.#facts) passenger.note(this.#facts);
    if (this.#begun) seat.begin(this.#begun);
    passenger.cancellation.listen(seat.left);
    return seat.answer;
  }

  /** An upstream has committed: all get their readers before any of them reads. */
  readonly #begin = (answer: UpstreamAnswer): void => {
    const { events, upstream, upstreamModel, attempts, ignored } = answer;
    const answered = { upstream, upstreamModel, attempts, ignored };
    const { room, maxSize, complete } = this.#options;
    const recording = new Broadcast(events, {
      room,
      maxSize,
      outgrown: () => this.#shut(),
      ended: (whole) => {
        if (whole) complete(answered, whole);
        this.#shut();
      },
    });
    this.#begun = { answered, recording };
    for (const seat of this.#seats) seat.begin(this.#begun);
    if (this.#seats.size === 0) recording.close();
  };

  readonly #fail = (error: unknown): void => {
    this.#shut();
    for (const seat of this.#seats) seat.fail(error);
  };

  #vacate(seat: Subscriber, early: boolean): void {
    this.#seats.delete(seat);
    const [other] = this.#seats;
    if (other && early && this.#payer === seat) this.#payer = other;
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

interface SubscriberOptions {
  /** Told once that the passenger needs nothing any more; `early`: before the answer's end. */
  readonly over: (early: boolean) => void;
  readonly pays: () => boolean;
}

/** One passenger's place, from boarding to the end of the answer or the passenger's leaving. */
class Subscriber {
  readonly passenger: Subscription;
  readonly #options: SubscriberOptions;
  readonly #answer = Promise.withResolvers<SharedAnswer>();
  #reader: BroadcastReader | undefined;
  #isOver = false;

  constructor(passenger: Subscription, options: SubscriberOptions) {
    this.passenger = passenger;
    this.#options = options;
  }

  get answer(): Promise<SharedAnswer> {
    return this.#answer.promise;
  }

  begin({ answered, recording }: Begun): void {
    this.#reader = recording.read(this.#over);
    this.#answer.resolve({ ...answered, events: this.#reader, pays: this.#options.pays });
  }

  /** Nobody has committed to an answer. */
  fail(error: unknown): void {
    this.#answer.reject(error);
    this.#over(false);
  }

  readonly left = (): void => {
    const { reason } = this.passenger.cancellation;
    this.#answer.reject(reason);
    if (this.#reader) this.#reader.leave(reason);
    else this.#over(true);
  };

  readonly #over = (early: boolean): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.passenger.cancellation.forget(this.left);
    this.#options.over(early);
  };
}
