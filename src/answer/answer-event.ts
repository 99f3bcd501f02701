import type { CanonicalEvent, NativeEvent, Usage, UsageEvent } from "../contract/index.ts";

/** The final usage of an answer, and the source of its counts. */
export interface CountedUsage {
  readonly type: "usage";
  readonly usage: Usage;
  readonly source: UsageSource;
}

export type UsageSource = "upstream" | "estimated";

/** What a dialect has to say to its client: an upstream's events, with one usage, at the end. */
export type AnswerEvent = Exclude<CanonicalEvent, UsageEvent> | CountedUsage;

/** What goes to a client: what its dialect writes, and frames that the upstream wrote in it. */
export type DeliveredEvent = AnswerEvent | NativeEvent;

/** Events in batches: an async iterator that may give a batch without a promise. */
export interface AnswerBatches<Event = AnswerEvent> {
  next(): NextAnswerBatch<Event> | PromiseLike<NextAnswerBatch<Event>>;
  return(value?: undefined): Promise<unknown>;
}

/** A batch of events, or the end. */
export type NextAnswerBatch<Event = AnswerEvent> = IteratorResult<readonly Event[], void>;
