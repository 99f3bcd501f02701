import type { Call } from "../../contract/index.ts";

/**
 * Under this name a response, and the stream of its body, may offer the bytes without a stream's own cost, as long as
 * nobody has asked for them in another way.
 */
export const PIECES: unique symbol = Symbol.for("modelyard.pieces");

/** Under this name what gives a body's bytes has the call that they come for. */
export const CALL: unique symbol = Symbol.for("modelyard.call");

/** A call that is told of its upstream's signs of life. */
export type ActivityListener = Partial<Pick<Call, "alive">>;

/** Bytes that come piece by piece. */
export interface ByteSource {
  [CALL]?: ActivityListener;
  /**
   * The next piece, at once where it is there already; undefined at the end. Throws or rejects when the bytes break
   * off, or with the reason for which the request was aborted. One at a time.
   */
  next(): Uint8Array | undefined | PromiseLike<Uint8Array | undefined>;
  /** Nobody needs the rest, of which there is little: it is skipped, so that the connection can be used again. */
  drain(): void;
  /** Nobody reads any more: closes the connection, and ends a read that waits. Never throws. */
  cancel(): void;
}

/** The bytes without a stream's cost, where they are offered and nobody has asked for them in another way. */
export function byteSourceOf(source: Response | ReadableStream<Uint8Array>): ByteSource | undefined {
  if (source instanceof ReadableStream && source.locked) return undefined;
  return (source as { readonly [PIECES]?: ByteSource | undefined })[PIECES];
}

/**
 * Has a call told of each piece that is read of a response, by the kit's own means. Whoever reads its body in another
 * way calls `call.alive()`.
 */
export function reportActivity(response: Response, call: ActivityListener): void {
  const pieces = byteSourceOf(response);
  if (pieces) pieces[CALL] = call;
  else Object.assign(response, { [CALL]: call });
  // Those that read an event stream are given the stream alone.
  if (!pieces && response.headers.get("content-type")?.startsWith("text/event-stream")) {
    Object.assign(response.body ?? {}, { [CALL]: call });
  }
}

/** The call that the bytes come for, if it is to be told. */
export function activityListenerOf(
  source: Response | ReadableStream<Uint8Array> | ByteSource,
): ActivityListener | undefined {
  return (source as { readonly [CALL]?: ActivityListener })[CALL];
}
