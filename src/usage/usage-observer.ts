import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { ChatEvent, Usage } from "../contract/index.ts";

/** Counts the tokens of added texts. */
interface TextCounter {
  add(text: string): void;
}

/** Reads an answer's events: the reported usage, and the texts for counting. */
export class UsageObserver {
  readonly #texts: TextCounter;
  #reported: Usage = {};

  constructor(texts: TextCounter) {
    this.#texts = texts;
  }

  /** The usage reported so far; unreported counts are absent. */
  get reported(): Usage {
    return this.#reported;
  }

  /** Reads a batch of events and returns the number of usage events. */
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
