import type { Batches, ChatEvent } from "../contract/index.ts";
import type { Continuation } from "../runtime/reusable-deferred.ts";
import { ReusableDeferred } from "../runtime/reusable-deferred.ts";
import { subscribeOnce } from "../runtime/reusable-deferred.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { END_OF_BATCHES } from "../answer/batches.ts";
import type { ByteBudget, ByteReservation } from "../limits/byte-budget.ts";
import type { BufferPosition } from "./event-buffer.ts";
import { BEGINNING, EventBuffer } from "./event-buffer.ts";

type Batch = readonly ChatEvent[];
type Next = IteratorResult<Batch, void>;

/** How far one reader of an answer that isn't kept whole may lag behind the fastest, in bytes. */
const MOST_LAG = 256 * 1024;

export interface BroadcastOptions {
  /** The budget of memory from which the answer is kept. */
  readonly room: ByteBudget;
  /** The most that is kept of it, in bytes. */
  readonly maxSize: number;
  /** Called when the beginning is kept no longer, so that nobody can join any more. */
  readonly outgrown: () => void;
  /** Called at the end, with the answer if it is complete and was kept whole. */
  readonly ended: (events: EventBuffer | undefined) => void;
}

/** How an answer came to its end. */
interface End {
  readonly failed: boolean;
  readonly failure?: unknown;
}

/**
 * Fans one upstream answer out to any number of readers, each at its own pace. The source is read when a reader has
 * read all that came: the fastest one sets the pace, and what the others have not read yet is kept. Of an answer larger
 * than `maxSize` only the part between the slowest and the fastest reader is kept; a reader that lags further than
 * `MOST_LAG` gets an error in place of the rest.
 */
export class Broadcast implements Continuation<Next> {
  readonly #source: Batches;
  readonly #options: BroadcastOptions;
  readonly #readers = new Set<BroadcastReader>();
  readonly #events = new EventBuffer();
  #taken: ByteReservation | undefined;
  #isWhole = true;
  #isReading = false;
  #end: End | undefined;

  constructor(source: Batches, options: BroadcastOptions) {
    this.#source = source;
    this.#options = options;
  }

  get events(): EventBuffer {
    return this.#events;
  }

  get end(): End | undefined {
    return this.#end;
  }

  /** Adds a reader that begins at the answer's beginning. */
  read(over: ReaderOver): BroadcastReader {
    const reader = new BroadcastReader(this, over);
    this.#readers.add(reader);
    return reader;
  }

  /** Stops reading the source: nobody wants the rest. */
  close(): void {
    this.#taken?.[Symbol.dispose]();
    if (this.#end) return;
    this.#end = { failed: false };
    // Not awaited: it settles only when the source's own wait does.
    this.#source.return?.().then(undefined, () => undefined);
  }

  /** Called by a reader that has read all that came. */
  readOn(): void {
    if (this.#isReading || this.#end) return;
    this.#isReading = true;
    const next = this.#ask();
    // What is there at once waits, too: all get their readers before any of them is given something.
    subscribeOnce(next instanceof ReusableDeferred ? next : Promise.resolve(next), this);
  }

  #ask(): Next | PromiseLike<Next> {
    try {
      return this.#source.next();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Called by a reader that is over. */
  delete(reader: BroadcastReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size === 0) this.close();
    else if (!this.#isWhole) this.#letGo();
  }

  /** Called with the next batch of the source. */
  onValue({ done, value: batch }: Next): void {
    this.#isReading = false;
    if (this.#end) return;
    if (done) return this.#ended({ failed: false });
    // Before there is more: so far back everybody had their chance to read.
    if (!this.#isWhole) this.#leaveBehind();
    this.#events.push(batch);
    for (const reader of this.#readers) reader.onBatch(batch);
    // They may all have left with it.
    if (this.#end) return;
    if (this.#isWhole && !this.#hasRoom()) this.#outgrow();
    if (!this.#isWhole) this.#letGo();
  }

  /** Called when the source fails. */
  onError(failure: unknown): void {
    this.#isReading = false;
    if (!this.#end) this.#ended({ failed: true, failure });
  }

  #ended(end: End): void {
    this.#end = end;
    this.#options.ended(!end.failed && this.#isWhole ? this.#events : undefined);
    for (const reader of this.#readers) reader.wake();
  }

  #hasRoom(): boolean {
    const { room, maxSize } = this.#options;
    const { size } = this.#events;
    if (size > maxSize) return false;
    if (this.#taken) return this.#taken.extend(size - this.#taken.bytes);
    return (this.#taken = room.reserve(size)) !== undefined;
  }

  #outgrow(): void {
    this.#isWhole = false;
    this.#taken?.[Symbol.dispose]();
    this.#options.outgrown();
  }

  /** Ends the readers that lag too far behind. */
  #leaveBehind(): void {
    while (this.#events.size > MOST_LAG) {
      const slowest = this.#slowest();
      // The last one left is behind nobody.
      if (!slowest?.lags || this.#readers.size === 1) return;
      slowest.leave(tooSlow());
    }
  }

  /** Drops what every reader has read. */
  #letGo(): void {
    const slowest = this.#slowest();
    if (slowest) this.#events.drop(slowest.place);
  }

  #slowest(): BroadcastReader | undefined {
    let slowest: BroadcastReader | undefined;
    for (const reader of this.#readers) {
      if (!slowest || reader.place.event < slowest.place.event) slowest = reader;
    }
    return slowest;
  }
}

/** Called once when a reader is over; `left` is true before it had the answer's end. */
export type ReaderOver = (left: boolean) => void;

/** Reads a broadcast from its beginning. */
export class BroadcastReader implements Batches {
  readonly #broadcast: Broadcast;
  readonly #over: ReaderOver;
  #place = BEGINNING;
  readonly #later = new ReusableDeferred<Next>();
  #isWaiting = false;
  #isOver = false;
  #rejection: { readonly reason: unknown } | undefined;

  constructor(broadcast: Broadcast, over: ReaderOver) {
    this.#broadcast = broadcast;
    this.#over = over;
  }

  get place(): BufferPosition {
    return this.#place;
  }

  /** Whether there is something that it hasn't read. */
  get lags(): boolean {
    const { end } = this.#broadcast.events;
    return this.#place.event !== end.event || this.#place.offset !== end.offset;
  }

  next(): Next | ReusableDeferred<Next> {
    if (this.#rejection) throw this.#rejection.reason;
    if (this.#isOver) return END_OF_BATCHES;
    const { batch, to } = this.#broadcast.events.read(this.#place);
    this.#place = to;
    if (batch.length > 0) return { done: false, value: batch };
    this.#isWaiting = true;
    if (this.#broadcast.end) this.wake();
    else this.#broadcast.readOn();
    return this.#later;
  }

  return(): Promise<unknown> {
    this.#finish(true);
    return Promise.resolve();
  }

  /** Leaves before the end; `next` gives this error from now on. */
  leave(error: unknown): void {
    if (this.#isOver) return;
    this.#rejection = { reason: error };
    this.#finish(true);
  }

  /** Called with each new batch; a waiting reader gets it as it came. */
  onBatch(batch: Batch): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#place = this.#broadcast.events.end;
    this.#later.resolve({ done: false, value: batch });
  }

  /** Called when the answer has ended: wakes the pending read, if any. */
  wake(): void {
    const { end } = this.#broadcast;
    if (!this.#isWaiting || this.#isOver || !end) return;
    if (end.failed) this.#rejection = { reason: end.failure };
    this.#finish(false);
  }

  #finish(left: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#over(left);
    this.#broadcast.delete(this);
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    if (this.#rejection) this.#later.reject(this.#rejection.reason);
    else this.#later.resolve(END_OF_BATCHES);
  }
}

function tooSlow(): GatewayError {
  return new GatewayError(
    "overloaded",
    "the answer was read too slowly to be kept for this client any longer",
  );
}
