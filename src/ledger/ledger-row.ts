import type { Usage } from "../contract/index.ts";
import type { UsageSource } from "../answer/answer-event.ts";

/**
 * How an admitted request ended. `crashed`: the process ended first. Requests that were refused before they were
 * admitted are counters, not rows.
 */
export type Outcome = "ok" | "client_abort" | "upstream_error" | "truncated" | "crashed";

/** What the response cache had to do with a request; `follow`: it shared another's call to the upstream. */
export type CacheState = "hit" | "miss" | "follow" | "bypass";

/** What is known of a request when it is admitted. */
export interface Admitted {
  /** The request's id, as in `x-request-id`; a client may give the same to several. */
  readonly request: string;
  /** The key's name. */
  readonly key: string;
  /** The model as the client named it. */
  readonly model: string;
  /** As `/v1/chat/completions`. */
  readonly endpoint: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Tokens that were reserved of the key's limit. */
  readonly reserved: number;
}

/** What is known of it when it has ended. */
export interface Closed {
  readonly outcome: Outcome;
  /** The HTTP status, or the one that would have been sent had the headers not gone out before. */
  readonly status: number;
  /** The error's code; undefined where there was none. */
  readonly code?: string | undefined;
  /** Who answered, or was asked last; undefined where nobody was asked. */
  readonly upstream?: string | undefined;
  /** The upstream's own name for the model. */
  readonly upstreamModel?: string | undefined;
  /** Calls to upstreams. */
  readonly attempts: number;
  /** What the answer told, or what was counted of it, whoever paid for it; a count that nobody knows is absent. */
  readonly usage: Usage;
  readonly usageSource?: UsageSource | undefined;
  /** What is charged to the key: nothing of an answer that the cache gave or that another request pays for. */
  readonly paid: Usage;
  /** USD; null: the price is not known. */
  readonly cost: number | null;
  /** Which price list it was computed from. */
  readonly priceVersion?: string | undefined;
  readonly cache: CacheState;
  /** Tokens charged to the key's limit. What was reserved and not charged is released; it may be less than 0. */
  readonly settled: number;
  /** From the request's first byte to the answer's first event, in ms. */
  readonly firstEventMs?: number | undefined;
  /** How long it waited for a free credential, in ms; absent where it didn't. */
  readonly queuedMs?: number | undefined;
  /** From the request's first byte to its end, in ms. */
  readonly totalMs: number;
}

/** One admitted request, until its end. */
export interface LedgerEntry {
  /** Says how it will be closed as soon as its tokens are counted: so it is booked if the process is killed before. */
  closeProvisionally(closed: Closed): void;
  /** Books its end; only the first call counts. */
  close(closed: Closed): void;
}

/** What a key was charged for within a time. */
export interface Spent {
  /** USD, of the requests whose price is known. */
  readonly usd: number;
  /** Input and output. */
  readonly tokens: number;
}

/** An admission of the past, for limits that a restart must not forget. */
export interface PastAdmission {
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What it was charged: settled, or else reserved. */
  readonly tokens: number;
}
