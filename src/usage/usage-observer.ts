import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { ChatEvent, Usage } from "../contract/index.ts";

/** Counts the words of the texts that it is given. */
interface TextCounter {
  add(text: string): void;
}

/** What the events of one answer tell of its usage: what the upstream reports, and the texts that it delivers. */
export class UsageObserver {
  readonly #texts: TextCounter;
  #reported: Usage = {};

  constructor(texts: TextCounter) {
    this.#texts = texts;
  }

  /** What the upstream has reported so far; a count that it didn't report is absent. */
  get reported(): Usage {
    return this.#reported;
  }

  /** Takes in a batch of events and returns how many of them were reports of usage. */
  observe(batch: readonly ChatEvent[]): number {
    let reports = 0;
    for (const event of batch) {
      // What is reported in a frame stays there.
      if (event.type === "native") this.observe(event.events);
      else if (event.type === "usage") {
        reports += 1;
        this.#reported = sanitizeUsage({ ...this.#reported, ...event.usage });
      } else if (event.type === "text" || event.type === "reasoning") this.#texts.add(event.text);
      else if (event.type === "tool-call") this.#texts.add((event.name ?? "") + (event.arguments ?? ""));
    }
    return reports;
  }
}
