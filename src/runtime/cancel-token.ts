/**
 * Under this name a call, and the options of a `fetch`, may have what their `signal` stands for. Only a `fetch` that
 * says by `TAKES_CANCELLING` that it looks there may be given it instead of a signal.
 */
export const CANCELLING: unique symbol = Symbol("cancelling");

/** A `fetch` that takes it. */
export const TAKES_CANCELLING: unique symbol = Symbol("takes cancelling");

/**
 * What ends a call before its time, without an AbortSignal: that, its controller and its listeners cost a request more
 * than all that is done with them, and hardly any is ever aborted.
 */
export interface CancelToken {
  /** Why; undefined as long as nobody has cancelled. */
  readonly reason: unknown;
  /** The same for those who want a signal; made when it is first asked for. */
  readonly signal: AbortSignal;
  /** `listener` is called once when it is cancelled; at once if it is already. */
  listen(listener: () => void): void;
  /** `listener` need not be called any more. */
  forget(listener: () => void): void;
  /** The request that was sent last on behalf of the call, where its sender can make it once more. */
  renewable?: Renewable | undefined;
}

/** A request that may wait in vain for a connection that was used before. */
export interface Renewable {
  /**
   * Sends it once more over a new connection, if it went over one that was used before and no byte has come back.
   * Returns whether it did so: then the answer may be waited for as long again.
   */
  renew(): boolean;
}

interface Cancelled {
  readonly [CANCELLING]?: CancelToken | undefined;
  readonly signal?: AbortSignal | null | undefined;
}

/** What the signals stand for that were made of one. */
const BY_SIGNAL = new WeakMap<AbortSignal, CancelToken>();

/** From now on `cancellingOf` finds it by its signal, too: a plugin that calls `fetch` itself has nothing else. */
export function standFor(signal: AbortSignal, cancelling: CancelToken): void {
  BY_SIGNAL.set(signal, cancelling);
}

/** What cancels a call, or a request. */
export function cancelTokenOf(from: object): CancelToken | undefined {
  const cancelled = from as Cancelled;
  const own = cancelled[CANCELLING];
  if (own) return own;
  // Only now: a call makes its signal when it is first asked for.
  const { signal } = cancelled;
  return signal ? BY_SIGNAL.get(signal) : undefined;
}
