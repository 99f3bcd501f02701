/** Key under which a response, and its body stream, offer their bytes as a `ByteSource` until they are read otherwise. */
export const PIECES: unique symbol = Symbol.for("modelyard.pieces");

/** Key under which a source of bytes holds the call whose activity it reports. */
export const CALL: unique symbol = Symbol.for("modelyard.call");

/** A call that is notified of upstream activity. */
export interface ActivityListener {
  alive?(): void;
}

/** A response body that is read chunk by chunk without a `ReadableStream`. */
export interface ByteSource {
  [CALL]?: ActivityListener;
  /**
   * Returns the next chunk, a pending one if it has not arrived, or undefined at the end. Throws or rejects when the
   * connection breaks, or with the abort reason of the request. Only one read may be pending.
   */
  next(): Uint8Array | undefined | PromiseLike<Uint8Array | undefined>;
  /** Discards the rest, which must be short, so that the connection can be reused. */
  drain(): void;
  /** Closes the connection and ends a pending read. Never throws. */
  cancel(): void;
}

/** Returns the byte source of a response or its stream, if there is one and the body is not being read otherwise. */
export function byteSourceOf(source: Response | ReadableStream<Uint8Array>): ByteSource | undefined {
  if (source instanceof ReadableStream && source.locked) return undefined;
  return (source as { readonly [PIECES]?: ByteSource | undefined })[PIECES];
}

/**
 * Calls `call.alive()` for each chunk that the kit's readers read of a response. Code that reads the body in another way
 * calls it itself.
 */
export function reportActivity(response: Response, call: ActivityListener): void {
  const pieces = byteSourceOf(response);
  if (pieces) pieces[CALL] = call;
  else Object.assign(response, { [CALL]: call });
  // `sse` is given the stream alone.
  if (!pieces && response.headers.get("content-type")?.startsWith("text/event-stream")) {
    Object.assign(response.body ?? {}, { [CALL]: call });
  }
}

/** Returns the call that a source of bytes reports its activity to, if any. */
export function activityListenerOf(
  source: Response | ReadableStream<Uint8Array> | ByteSource,
): ActivityListener | undefined {
  return (source as { readonly [CALL]?: ActivityListener })[CALL];
}
