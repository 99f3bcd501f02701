/**
 * Under this name the stream of a response's body may offer its bytes without a stream's own cost, as long as nobody
 * reads it as a stream.
 */
export const PIECES: unique symbol = Symbol.for("modelyard.pieces");

/** Bytes that come piece by piece. */
export interface Pieces {
  /**
   * The next piece, at once where it is there already; undefined at the end. Throws or rejects when the bytes break
   * off, or with the reason for which the request was aborted. One at a time.
   */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Nobody needs the rest, of which there is little: it is skipped, so that the connection can be used again. */
  forget(): void;
  /** Nobody reads any more: closes the connection, and ends a read that waits. Never throws. */
  leave(): void;
}

/** A stream's bytes without the stream, where it has them and nobody reads it. */
export function piecesOf(stream: ReadableStream<Uint8Array>): Pieces | undefined {
  return stream.locked ? undefined : (stream as { readonly [PIECES]?: Pieces })[PIECES];
}
