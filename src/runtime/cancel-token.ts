/**
 * Key under which a call, and the options of a `fetch`, hold the cancel token that their `signal` stands for. Only a
 * `fetch` with the member `TAKES_CANCELLING` reads it in place of a signal.
 */
export const CANCELLING: unique symbol = Symbol("cancelling");

/** Marks a `fetch` that takes a cancel token under `CANCELLING`. */
export const TAKES_CANCELLING: unique symbol = Symbol("takes cancelling");

/**
 * Tells that work was cancelled. The plain way is an `AbortSignal`, whose controller and listeners cost a request more
 * than all that is done with them.
 */
export interface CancelToken {
  /** The reason of the cancellation; undefined before it. */
  readonly reason: unknown;
  /** The same as an `AbortSignal`, made when it is first read. */
  readonly signal: AbortSignal;
  /** Calls `listener` once on cancellation, at once if that has happened. */
  listen(listener: () => void): void;
  /** Removes a listener. */
  forget(listener: () => void): void;
  /** The request that was sent last for the call, where its sender can send it again. */
  renewable?: Renewable | undefined;
}

/** A request over a connection that was used before, and may be dead. */
export interface Renewable {
  /**
   * Sends the request again over a new connection if no byte has come back. Returns whether it did: then the deadline
   * for the answer starts again.
   */
  renew(): boolean;
}

interface Cancelled {
  readonly [CANCELLING]?: CancelToken | undefined;
  readonly signal?: AbortSignal | null | undefined;
}

/** The tokens that signals were made of. */
const BY_SIGNAL = new WeakMap<AbortSignal, CancelToken>();

/** Has `cancelTokenOf` find a token by its signal: a plugin that calls `fetch` itself has nothing else. */
export function standFor(signal: AbortSignal, cancelling: CancelToken): void {
  BY_SIGNAL.set(signal, cancelling);
}

/** Returns the token that cancels a call or a request, if it has one. */
export function cancelTokenOf(from: object): CancelToken | undefined {
  const cancelled = from as Cancelled;
  const own = cancelled[CANCELLING];
  if (own) return own;
  // Last: reading it makes the signal of a call.
  const { signal } = cancelled;
  return signal ? BY_SIGNAL.get(signal) : undefined;
}
