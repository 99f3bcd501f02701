import type { Usage } from "../contract/index.ts";
import type { UsageSource } from "../answer/answer-event.ts";

/** How an admitted request ended; `crashed`: the process ended first. Requests refused before admission have no rows. */
export type Outcome = "ok" | "client_abort" | "upstream_error" | "truncated" | "crashed";

/** A request's cache result; `follow`: it shared another request's upstream call. */
export type CacheState = "hit" | "miss" | "follow" | "bypass";

/** A row's columns at admission. */
export interface Admitted {
  /** The request's id, as in `x-request-id`; clients may reuse one. */
  readonly request: string;
  /** The key's name. */
  readonly key: string;
  /** The model as the client named it. */
  readonly model: string;
  /** As `/v1/chat/completions`. */
  readonly endpoint: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Tokens reserved from the key's limit. */
  readonly reserved: number;
}

/** A row's columns at the end. */
export interface Closed {
  readonly outcome: Outcome;
  /** The HTTP status; after early headers, the one that would have been sent. */
  readonly status: number;
  /** The error's code; undefined without an error. */
  readonly code?: string | undefined;
  /** The upstream that answered or was tried last; undefined if none was. */
  readonly upstream?: string | undefined;
  /** The upstream's own name for the model. */
  readonly upstreamModel?: string | undefined;
  /** Number of calls to upstreams. */
  readonly attempts: number;
  /** The answer's reported or counted usage, whoever pays for it; unknown counts are absent. */
  readonly usage: Usage;
  readonly usageSource?: UsageSource | undefined;
  /** The usage charged to the key; nothing for cache hits and shared answers that another request pays for. */
  readonly paid: Usage;
  /** USD; null if the price is unknown. */
  readonly cost: number | null;
  /** The price list that it was computed from. */
  readonly priceVersion?: string | undefined;
  readonly cache: CacheState;
  /** Tokens charged to the key's limit. The rest of the reserved ones is released, and may be negative. */
  readonly settled: number;
  /** From the request's first byte to the answer's first event, in ms. */
  readonly firstEventMs?: number | undefined;
  /** Wait for a free credential, in ms; absent without one. */
  readonly queuedMs?: number | undefined;
  /** From the request's first byte to its end, in ms. */
  readonly totalMs: number;
}

/** An open row of the ledger. */
export interface LedgerEntry {
  /** Records the provisional end, which counts if the process is killed before `close`. */
  closeProvisionally(closed: Closed): void;
  /** Records the end; only the first call counts. */
  close(closed: Closed): void;
}

/** What a key was charged within a period. */
export interface Spent {
  /** USD of the requests with a known price. */
  readonly usd: number;
  /** Input and output tokens. */
  readonly tokens: number;
}

/** A past admission, from which limits are restored after a restart. */
export interface PastAdmission {
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Tokens charged: the settled ones, or else the reserved ones. */
  readonly tokens: number;
}
