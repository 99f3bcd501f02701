import type { Usage } from "../contract/index.ts";
import type { GatewayError } from "../errors/gateway-error.ts";
import type { CancelSource } from "../runtime/cancel-source.ts";
import type { GatewayLogger } from "../log.ts";

/** On whose behalf upstreams are called: one request, or a shared call that outlives any one of its subscribers. */
export interface DispatchContext {
  readonly id: string;
  /** The client's headers that its dialect forwards to upstreams, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly log: GatewayLogger;
  /** Cancelled when no client waits for the answer. */
  readonly cancellation: CancelSource<GatewayError>;
  /** The error of attempts that end because no client waits. */
  readonly gone: GatewayError;
  /** Milliseconds since its start. */
  readonly age: number;
  /** Records facts about the request. */
  note(facts: DispatchFacts): void;
  /** Called with the usage of an attempt whose answer no client got. */
  used(usage: AttemptUsage): void;
}

/** The usage of an attempt that failed or was abandoned before its first event. */
export interface AttemptUsage {
  /** The upstream's name in gateway.yaml. */
  readonly upstream: string;
  /** Its own name for the model. */
  readonly upstreamModel: string;
  /** The usage that the upstream reported; unreported counts are absent. */
  readonly reported: Usage;
  /** True if the upstream had the request and was abandoned while it worked. */
  readonly wasAbandoned: boolean;
}

/** Assigns the cost of shared attempts to one of several requests. */
export interface SharedBill {
  /** The attempts so far whose answers no client got. */
  readonly used: readonly AttemptUsage[];
  /** Returns whether this request pays, as things stand now. */
  pays(): boolean;
}

/** Facts that become known while upstreams are called; absent members stay unchanged. */
export interface DispatchFacts {
  /** The upstream that was called last. */
  readonly upstream?: string;
  /** That upstream's own name for the model. */
  readonly upstreamModel?: string;
  /** Number of upstream calls so far. */
  readonly attempts?: number;
  /** Queue time of an attempt in ms; added to the previous ones. */
  readonly queuedMs?: number;
}
