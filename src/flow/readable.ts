import { Heartbeat } from "./heartbeat.ts";
import { inSmallPieces } from "./small-pieces.ts";

/** An async iterator that may also give at once, without a promise, what is there already. */
export interface Chunks {
  next(): NextChunk | Promise<NextChunk>;
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

/** Characters that may leave with the headers. */
const MOST_AT_ONCE = 64 * 1024;

/**
 * Turns an iterator of chunks into the body of a response. They are texts: Bun encodes them on their way into the
 * socket, and an array of bytes for each of them would cost more than all that is done with it. What is there at once
 * leaves with the headers, in one write; from then on a chunk is asked for only when the socket has room, so a slow
 * reader stops the reading of the source. A reader who leaves ends in `left()` and in the iterator's `return()`. The
 * iterator must not throw: how a failure looks on the wire is not known here.
 */
export function readable(chunks: Chunks, options: ReadableOptions): ReadableStream<string> {
  let heart: Heartbeat | undefined;
  /** What was asked for before anybody could read. */
  let asked: Promise<NextChunk> | undefined;
  const give = (next: NextChunk, controller: ReadableStreamDefaultController<string>): void => {
    heart?.note();
    if (!next.done) return inSmallPieces(next.value, (piece) => controller.enqueue(piece));
    heart?.[Symbol.dispose]();
    controller.close();
  };
  return new ReadableStream<string>(
    {
      start(controller) {
        for (let size = 0; size < MOST_AT_ONCE;) {
          const next = chunks.next();
          if (next instanceof Promise) {
            asked = next;
            return;
          }
          give(next, controller);
          if (next.done) return;
          size += next.value.length;
        }
      },
      pull(controller) {
        // Not before somebody reads: a body that nobody ever reads is never cancelled, and its timer would go on.
        heart ??= new Heartbeat(options.interval, () => {
          // Below 0 the reader hasn't taken the last beat yet, and doesn't need another.
          if ((controller.desiredSize ?? -1) >= 0) controller.enqueue(options.beat);
        });
        const next = asked ?? chunks.next();
        asked = undefined;
        return next instanceof Promise ? next.then((came) => give(came, controller)) : give(next, controller);
      },
      cancel() {
        heart?.[Symbol.dispose]();
        options.left();
        // Not awaited: it settles only when the wait for the source has been ended by `left`.
        chunks.return().then(undefined, () => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
