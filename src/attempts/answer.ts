import type { CountedUsage } from "../answer/answer-event.ts";
import type { Batches } from "../contract/index.ts";
import type { CacheState } from "../ledger/ledger-row.ts";

/** Where an answer comes from. */
export interface Provenance {
  /** The upstream's name in gateway.yaml. */
  readonly upstream: string;
  /** The upstream's own name for the model. */
  readonly upstreamModel: string;
  /** Number of upstream calls made for it. */
  readonly attempts: number;
  /** Parameters that the upstream ignored, encoded for a header. */
  readonly ignored: readonly string[];
}

/** An answer that has begun: failover is no longer possible. */
export interface Answer<Content = Batches> extends Provenance {
  /** Its events, in the batches in which they arrived. */
  readonly content: Content;
  readonly cache: CacheState;
  /** The tokens of its input for which nobody pays, since what they gave came from the cache. */
  readonly reused?: number;
  /** How old a cached answer is, in whole seconds. */
  readonly age?: number;
  /** The encoded bodies of a cached answer. */
  readonly encoded?: EncodedForms;
  /** Returns whether this request pays for the upstream call; of those that share an answer one does. */
  pays(): boolean;
}

/** The encoded body of a complete answer. */
export interface EncodedAnswer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly usage: CountedUsage | undefined;
}

/** Caches encoded bodies by form. */
export interface EncodedForms {
  get(form: string): EncodedAnswer | undefined;
  /** Keeps a body as long as the answer, if there is room. */
  keep(form: string, sent: EncodedAnswer): void;
}
