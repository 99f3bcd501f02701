import type { CountedUsage } from "../answer/answer-event.ts";
import type { Batches } from "../contract/index.ts";
import type { CacheState } from "../ledger/ledger-row.ts";

/** Which upstream answered, and how it came about. */
export interface Provenance {
  /** The upstream's name in gateway.yaml. */
  readonly upstream: string;
  /** The upstream's own name for the model. */
  readonly upstreamModel: string;
  /** Calls to upstreams that were made for it. */
  readonly attempts: number;
  /** Names of parameters that the upstream could not honour. */
  readonly ignored: readonly string[];
}

/** An answer that has begun, and that no other upstream can replace any more. */
export interface Answer<Content = Batches> extends Provenance {
  /** Its events, those together that arrived together. */
  readonly content: Content;
  readonly cache: CacheState;
  /** The tokens of its input for which nobody pays, since what they gave came from the cache. */
  readonly reused?: number;
  /** How old a cached answer is, in whole seconds. */
  readonly age?: number;
  /** The bytes in which a cached answer was sent before. */
  readonly encoded?: EncodedForms;
  /** Whether it is this request that pays for the upstream's work, now; of those who share an answer one does. */
  pays(): boolean;
}

/** A whole answer as it was sent. */
export interface EncodedAnswer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly usage: CountedUsage | undefined;
}

/** What was sent of a cached answer, by the form in which it was. */
export interface EncodedForms {
  get(form: string): EncodedAnswer | undefined;
  /** Keeps it as long as the answer, if there is room. */
  keep(form: string, sent: EncodedAnswer): void;
}
