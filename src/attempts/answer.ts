import type { Batches } from "../contract/index.ts";

/** Who answered, and how it came about. */
export interface AnsweredBy {
  /** The upstream's name in gateway.yaml. */
  readonly upstream: string;
  /** The upstream's own name for the model. */
  readonly upstreamModel: string;
  /** Calls to upstreams that were made for it. */
  readonly attempts: number;
  /** Names of parameters that the upstream could not honour. */
  readonly ignored: readonly string[];
}

/** What an upstream has begun to answer, and no other can replace any more. */
export interface UpstreamAnswer extends AnsweredBy {
  /** Those together that arrived together. */
  readonly events: Batches;
}
