import type { Continuation } from "./reusable-deferred.ts";
import { isPending, subscribeOnce } from "./reusable-deferred.ts";
import { Heartbeat } from "./heartbeat.ts";
import { endOfPiece } from "./write-chunks.ts";

/** An async iterator that need not make a promise. */
export interface Chunks {
  next(): NextChunk | PromiseLike<NextChunk>;
  return(value?: undefined): Promise<unknown>;
}

/** Some text, or the end. */
export type NextChunk = IteratorResult<string, void>;

export interface ReadableOptions {
  /** Told once when the reader leaves before the end. */
  readonly left: () => void;
  /** Sent after each `interval` ms of silence, so that nothing on the way takes silence for death. */
  readonly beat: string;
  readonly interval: number;
}

/**
 * Turns an iterator of chunks into the body of a response. They are written straight into the socket, without the
 * queues of a stream, as texts: Bun encodes them on their way, and an array of bytes for each of them would cost more
 * than all that is done with it. What is there at once leaves with the headers, in one write. When the socket is full
 * nothing more is asked for, so a slow reader stops the reading of the source. A reader who leaves ends in `left()`
 * and in the iterator's `return()`. The iterator must not throw: how a failure looks on the wire is not known here.
 */
export function readable(chunks: Chunks, options: ReadableOptions): ReadableStream<string> {
  // Not before somebody reads: a body that nobody ever reads is never cancelled, and its timer would go on.
  let sending: Sending | undefined;
  const source: Bun.DirectUnderlyingSource<string> = {
    type: "direct",
    pull(controller) {
      sending = new Sending(chunks, controller, options);
      sending.goOn();
      return sending.over;
    },
    cancel() {
      sending?.stop();
      options.left();
      // Not awaited: it settles only when the wait for the source has been ended by `left`.
      chunks.return().then(undefined, () => undefined);
    },
  };
  // What the types of lib.dom, which count here, know nothing of.
  return new ReadableStream<string>(source as unknown as UnderlyingSource<string>);
}

/** The way of chunks into one socket. */
class Sending implements Continuation<NextChunk> {
  readonly #chunks: Chunks;
  readonly #controller: ReadableStreamDirectController;
  readonly #beat: string;
  readonly #heart: Heartbeat;
  readonly #over = Promise.withResolvers<void>();
  /** What is being sent, and how much of it was. */
  #text = "";
  #sent = 0;
  /** While the socket is full. */
  #full: Promise<unknown> | undefined;
  #isOver = false;

  constructor(chunks: Chunks, controller: ReadableStreamDirectController, options: ReadableOptions) {
    this.#chunks = chunks;
    this.#controller = controller;
    this.#beat = options.beat;
    this.#heart = new Heartbeat(options.interval, this);
  }

  /** Resolves when nothing more is to be sent: until then Bun asks for nothing more. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isOver = true;
    this.#heart[Symbol.dispose]();
    this.#over.resolve();
  }

  /** Sends what is there, until the next chunk has to be waited for, or room for it. */
  goOn(): void {
    while (!this.#isOver) {
      if (this.#full) return this.#goOnAfter(this.#full);
      if (this.#sent < this.#text.length) this.#sendPiece();
      else {
        const next = this.#chunks.next();
        if (isPending(next)) return subscribeOnce(next, this);
        this.#take(next);
      }
    }
  }

  #goOnAfter(full: Promise<unknown>): void {
    const goOn = (): void => this.goOn();
    full.then(goOn, goOn);
  }

  /** Of the chunks. */
  onValue(next: NextChunk): void {
    this.#take(next);
    this.goOn();
  }

  /** Of the chunks. Never, if they keep their word. */
  onError(): void {
    this.#end();
  }

  #take(next: NextChunk): void {
    // Who has left needs nothing more.
    if (this.#isOver) return;
    if (next.done) return this.#end();
    this.#heart.note();
    this.#text = next.value;
    this.#sent = 0;
  }

  #sendPiece(): void {
    const from = this.#sent;
    const to = endOfPiece(this.#text, from);
    this.#sent = to;
    this.#write(this.#text.slice(from, to));
    // It may be long until there is more.
    if (to === this.#text.length) this.#text = "";
  }

  #end(): void {
    this.stop();
    this.#controller.close();
  }

  #write(text: string): void {
    const written = this.#controller.write(text);
    if (!(written instanceof Promise)) return;
    // Full, until all of it has been taken.
    this.#full = written;
    const emptied = (): void => {
      if (this.#full === written) this.#full = undefined;
    };
    written.then(emptied, emptied);
  }

  /** Of the heart. */
  beat(): void {
    // Whoever doesn't read needs no sign of life.
    if (!this.#full) this.#write(this.#beat);
  }
}
