import type { Coming } from "../contract/later.ts";

/**
 * Under this name a response, and the stream of its body, may offer the bytes without a stream's own cost, as long as
 * nobody has asked for them in another way.
 */
export const PIECES: unique symbol = Symbol.for("modelyard.pieces");

/** Bytes that come piece by piece. */
export interface Pieces {
  /**
   * The next piece, at once where it is there already; undefined at the end. Throws or rejects when the bytes break
   * off, or with the reason for which the request was aborted. One at a time.
   */
  next(): Uint8Array | undefined | Coming<Uint8Array | undefined>;
  /** Nobody needs the rest, of which there is little: it is skipped, so that the connection can be used again. */
  forget(): void;
  /** Nobody reads any more: closes the connection, and ends a read that waits. Never throws. */
  leave(): void;
}

/** The bytes without a stream's cost, where they are offered and nobody has asked for them in another way. */
export function piecesOf(source: Response | ReadableStream<Uint8Array>): Pieces | undefined {
  if (source instanceof ReadableStream && source.locked) return undefined;
  return (source as { readonly [PIECES]?: Pieces | undefined })[PIECES];
}
