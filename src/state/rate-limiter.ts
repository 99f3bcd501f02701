import type { LimitSettings } from "../../config/settings.ts";

/** Who is limited: a key or an upstream. */
export interface Limited {
  /** Unique among all, as `key alice` or `upstream openai`. */
  readonly id: string;
  readonly limits: LimitSettings;
}

/**
 * The right to be answered: it holds one of the concurrent requests and the reserved tokens. `dispose` gives
 * back the first and, if nothing was settled, the second; twice does no harm.
 */
export interface Slot extends Disposable {
  /** Tokens. */
  readonly reserved: number;
  /** Replaces what was reserved by what was used; also after `dispose`. Only the first call counts. */
  settle(tokens: number): void;
}

/** Which limit a request would have broken, and when it is worth coming back. */
export interface LimitRefusal {
  readonly limit: keyof LimitSettings;
  /** The limit's number. */
  readonly of: number;
  /** Milliseconds after which a lone request would be admitted; undefined: never, it asks for more than the limit. */
  readonly retryAfterMs: number | undefined;
}

/** What is left of a kind of limit: of the one nearest exhaustion, where there are two. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until all of it is there again if nothing more is asked. */
  readonly resetMs: number;
}

/** What is left of a subject's limits; undefined where it has none of that kind. */
export interface Standing {
  readonly requests: Allowance | undefined;
  readonly tokens: Allowance | undefined;
}
