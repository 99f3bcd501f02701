import type { ChatEvent, Usage, UsageEvent } from "../contract/index.ts";

/** An answer's usage, once and complete, and where its counts come from. */
export interface CountedUsage {
  readonly type: "usage";
  readonly usage: Usage;
  readonly source: UsageSource;
}

export type UsageSource = "upstream" | "estimated";

/** What a dialect has to say to its client: an upstream's events, with one usage, at the end. */
export type AnswerEvent = Exclude<ChatEvent, UsageEvent> | CountedUsage;

/** The same in batches: an async iterator that may also give at once, without a promise, what is there already. */
export interface AnswerBatches {
  next(): NextAnswerBatch | PromiseLike<NextAnswerBatch>;
  return(value?: undefined): Promise<unknown>;
}

/** A batch of them, or the end. */
export type NextAnswerBatch = IteratorResult<readonly AnswerEvent[], void>;
