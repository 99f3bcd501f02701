import type { RequestError } from "../dialects/request-error.ts";
import type { Cancellation } from "../flow/cancellation.ts";
import type { GatewayLogger } from "../log.ts";

/**
 * What the upstreams are called for: one client's request, or an answer that several clients wait for and that
 * outlives any one of them.
 */
export interface Errand {
  readonly id: string;
  readonly log: GatewayLogger;
  /** Cancelled when nobody waits for the answer any more. */
  readonly cancellation: Cancellation<RequestError>;
  /** What is said of an attempt that ends because nobody waits. */
  readonly gone: RequestError;
  /** Milliseconds since it began. */
  readonly age: number;
  /** Adds to what is known of the request. */
  note(facts: ErrandFacts): void;
}

/** What becomes known of an errand on its way. */
export interface ErrandFacts {
  /** Who was asked last. */
  readonly upstream: string;
  /** That upstream's own name for the model. */
  readonly upstreamModel: string;
  /** Calls to upstreams so far. */
  readonly attempts: number;
}
