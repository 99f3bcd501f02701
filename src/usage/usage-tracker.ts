import type { ChatEvent, Usage } from "../contract/index.ts";
import type { CountedUsage, DeliveredEvent } from "../answer/answer-event.ts";
import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { RequestMembers } from "../json/request-members.ts";
import { UsageObserver } from "./usage-observer.ts";
import type { CountedText, TokenCounter } from "./token-counter.ts";
import { promptTokens, roughPromptTokens } from "./prompt-tokens.ts";

/**
 * What one answer has used so far: what the upstream reports, and what was delivered, in case it reports
 * nothing or the answer doesn't come to its end.
 */
export class UsageTracker extends UsageObserver {
  readonly #request: RequestMembers;
  readonly #tokens: TokenCounter;
  readonly #delivered: CountedText;
  #isComplete = false;
  #counting: Promise<CountedUsage> | undefined;
  #counted: CountedUsage | undefined;

  constructor(request: RequestMembers, tokens: TokenCounter) {
    const delivered = tokens.text();
    super(delivered);
    this.#request = request;
    this.#tokens = tokens;
    this.#delivered = delivered;
  }

  /** Takes in what is on its way to the client, and gives what the client is to see of it: all but the usage. */
  take(batch: readonly ChatEvent[]): readonly DeliveredEvent[] {
    // Nearly always there is no report, and the batch goes on as it is.
    return this.observe(batch) === 0
      ? (batch as readonly DeliveredEvent[])
      : batch.filter((event) => event.type !== "usage");
  }

  /** The answer has come to its end: what the upstream reported of it is final. */
  complete(): void {
    this.#isComplete = true;
  }

  /** The usage where it can be told now; undefined where words must be counted first. */
  get known(): CountedUsage | undefined {
    if (this.#counted) return this.#counted;
    const { input, output } = this.reported;
    const isTold = this.#isComplete && input !== undefined && output !== undefined;
    return isTold ? { type: "usage", usage: this.reported, source: "upstream" } : undefined;
  }

  /** The usage where it can be told, and else a rough one. */
  estimate(): CountedUsage {
    const input = this.reported.input ?? roughPromptTokens(this.#request);
    return this.known ?? this.#estimated(input, this.#delivered.roughTokens());
  }

  /** The usage of what was delivered, counted where the upstream hasn't told it. */
  async count(): Promise<CountedUsage> {
    return this.known ?? (this.#counted = await (this.#counting ??= this.#count()));
  }

  async #count(): Promise<CountedUsage> {
    const { input, output } = this.reported;
    const [countedInput, delivered] = await Promise.all([
      input ?? promptTokens(this.#request, this.#tokens),
      this.#isComplete && output !== undefined ? output : this.#delivered.tokens(),
    ]);
    return this.#estimated(countedInput, delivered);
  }

  #estimated(countedInput: number, delivered: number): CountedUsage {
    const { input, output } = this.reported;
    // Of an answer that broke off the upstream may not have said yet how long it was.
    const isTold = output !== undefined && output >= delivered;
    const told = isTold ? this.reported : { ...ofPrompt(this.reported), output: delivered };
    const usage = sanitizeUsage({ ...told, input: countedInput });
    return { type: "usage", usage, source: isTold && input !== undefined ? "upstream" : "estimated" };
  }
}

function ofPrompt(usage: Usage): Usage {
  const { output: _, reasoning: __, raw: ___, ...rest } = usage;
  return rest;
}
