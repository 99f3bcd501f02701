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
