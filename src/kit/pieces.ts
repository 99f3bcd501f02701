/**
 * Under this name a response may offer its body's bytes without a stream's own cost, as long as nobody has asked for
 * its body in another way.
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

/** A response's bytes without a stream, where it has them and nobody has asked for its body. */
export function piecesOf(response: Response): Pieces | undefined {
  return (response as { readonly [PIECES]?: Pieces | undefined })[PIECES];
}
