import type { Usage } from "../contract/index.ts";
import type { GatewayError } from "../errors/gateway-error.ts";
import type { CancelSource } from "../runtime/cancel-source.ts";
import type { GatewayLogger } from "../log.ts";

/**
 * What the upstreams are called for: one client's request, or an answer that several clients wait for and that
 * outlives any one of them.
 */
export interface DispatchContext {
  readonly id: string;
  /** The client's headers that its dialect hands on to upstreams, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly log: GatewayLogger;
  /** Cancelled when nobody waits for the answer any more. */
  readonly cancellation: CancelSource<GatewayError>;
  /** What is said of an attempt that ends because nobody waits. */
  readonly gone: GatewayError;
  /** Milliseconds since it began. */
  readonly age: number;
  /** Adds to what is known of the request. */
  note(facts: DispatchFacts): void;
  /** Called when an attempt has ended whose answer went to nobody. */
  used(usage: AttemptUsage): void;
}

/** What an attempt used that failed, or was left, before its first event. */
export interface AttemptUsage {
  /** The upstream's name in gateway.yaml. */
  readonly upstream: string;
  /** Its own name for the model. */
  readonly upstreamModel: string;
  /** As the upstream told it; a count that it didn't tell is absent. */
  readonly reported: Usage;
  /** The upstream had been sent the request, and was left while it was at work. */
  readonly wasAbandoned: boolean;
}

/** Which of several requests pays for shared attempts. */
export interface SharedBill {
  /** The attempts so far whose answers went to nobody. */
  readonly used: readonly AttemptUsage[];
  /** Whether it is this request that pays, as things stand now. */
  pays(): boolean;
}

/** What becomes known while upstreams are asked; a member that is absent stays as it was. */
export interface DispatchFacts {
  /** Who was asked last. */
  readonly upstream?: string;
  /** That upstream's own name for the model. */
  readonly upstreamModel?: string;
  /** Calls to upstreams so far. */
  readonly attempts?: number;
  /** For how many ms an attempt waited for a turn at its upstream; added to those before. */
  readonly queuedMs?: number;
}
