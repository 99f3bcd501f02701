import { UpstreamError } from "../contract/index.ts";
import type { AnswerEvent } from "../answer/answer-event.ts";

/** A collected answer larger than this is the upstream's fault: nothing grows without a bound. */
const MAX_COLLECTED = 64 * 1024 * 1024;

/** Watches the size of an answer that is being collected. */
export class Bounded {
  #size = 0;

  /** Throws UpstreamError `bad-response` when the answer has become too large. */
  add(event: AnswerEvent): void {
    this.#size += sizeOf(event);
    if (this.#size <= MAX_COLLECTED) return;
    throw new UpstreamError("bad-response", "the upstream's answer is larger than 64 MiB");
  }
}

/** Characters, near enough: the bound guards memory, not a contract. */
function sizeOf(event: AnswerEvent): number {
  if (event.type === "text" || event.type === "reasoning") return event.text.length;
  if (event.type === "tool-call") return event.arguments?.length ?? 0;
  return event.type === "extra" ? JSON.stringify(event.fields).length : 0;
}
