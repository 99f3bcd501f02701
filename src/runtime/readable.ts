import type { Continuation } from "./reusable-deferred.ts";
import { isPending, subscribeOnce } from "./reusable-deferred.ts";
import { Heartbeat } from "./heartbeat.ts";
import { endOfPiece } from "./write-chunks.ts";

/** An async iterator that may give a value without a promise. */
export interface Chunks {
  next(): NextChunk | PromiseLike<NextChunk>;
  return(value?: undefined): Promise<unknown>;
}

/** A chunk of text, or the end. */
export type NextChunk = IteratorResult<string, void>;

export interface ReadableOptions {
  /** Called once when the reader leaves before the end. */
  readonly left: () => void;
  /** Sent after each `interval` ms of silence, so that no proxy closes the connection as idle. */
  readonly beat: string;
  readonly interval: number;
}

/**
 * Returns a response body that writes chunks of text straight into the socket: the plain way, a `ReadableStream` of
 * bytes with `pull`, costs its queue and an array of bytes for each chunk. What is available at once leaves with the
 * headers, in one write. While the socket is full nothing is read, so a slow reader stops the reading of the source.
 * When the reader leaves, `left()` and the iterator's `return()` are called. The iterator must not throw.
 */
export function readable(chunks: Chunks, options: ReadableOptions): ReadableStream<string> {
  // Made by the first read: a body that is never read is never cancelled, and its timer would go on.
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
      // Not awaited: it settles only when `left` has ended the wait for the source.
      chunks.return().then(undefined, () => undefined);
    },
  };
  // The types of lib.dom, which apply here, lack direct streams.
  return new ReadableStream<string>(source as unknown as UnderlyingSource<string>);
}

/** Writes chunks into one socket. */
class Sending implements Continuation<NextChunk> {
  readonly #chunks: Chunks;
  readonly #controller: ReadableStreamDirectController;
  readonly #beat: string;
  readonly #heart: Heartbeat;
  readonly #over = Promise.withResolvers<void>();
  /** The text that is being sent, and how many characters of it were. */
  #text = "";
  #sent = 0;
  /** Pending while the socket is full. */
  #full: Promise<unknown> | undefined;
  #isOver = false;

  constructor(chunks: Chunks, controller: ReadableStreamDirectController, options: ReadableOptions) {
    this.#chunks = chunks;
    this.#controller = controller;
    this.#beat = options.beat;
    this.#heart = new Heartbeat(options.interval, this);
  }

  /** Resolves after the last write: until then Bun does not pull again. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Stops sending. */
  stop(): void {
    this.#isOver = true;
    this.#heart[Symbol.dispose]();
    this.#over.resolve();
  }

  /** Sends until a chunk, or room in the socket, has to be waited for. */
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

  /** Called with the next chunk. */
  onValue(next: NextChunk): void {
    this.#take(next);
    this.goOn();
  }

  /** Called if the iterator fails, which it must not. */
  onError(): void {
    this.#end();
  }

  #take(next: NextChunk): void {
    // The reader has left.
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
    // Freed now: the next chunk may be far off.
    if (to === this.#text.length) this.#text = "";
  }

  #end(): void {
    this.stop();
    this.#controller.close();
  }

  #write(text: string): void {
    const written = this.#controller.write(text);
    if (!(written instanceof Promise)) return;
    // The socket is full until it has taken all of it.
    this.#full = written;
    const emptied = (): void => {
      if (this.#full === written) this.#full = undefined;
    };
    written.then(emptied, emptied);
  }

  /** Called by the heartbeat. */
  beat(): void {
    // A client that doesn't read needs no keep-alive.
    if (!this.#full) this.#write(this.#beat);
  }
}
