import type { ChatEvent, Usage } from "../contract/index.ts";
import type { CountedUsage, DeliveredEvent } from "../answer/answer-event.ts";
import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { RequestMembers } from "../json/request-members.ts";
import { UsageObserver } from "./usage-observer.ts";
import type { CountedText, TokenCounter } from "./token-counter.ts";
import { promptTokens, roughPromptTokens } from "./prompt-tokens.ts";

/** Tracks an answer's usage: as reported, or counted from the delivered text if it isn't reported or the answer breaks off. */
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

  /** Reads a batch on its way to the client and returns it without usage events. */
  take(batch: readonly ChatEvent[]): readonly DeliveredEvent[] {
    // Nearly always there is no report, and the batch goes on as it is.
    return this.observe(batch) === 0
      ? (batch as readonly DeliveredEvent[])
      : batch.filter((event) => event.type !== "usage");
  }

  /** Marks the answer complete: the reported usage is final. */
  complete(): void {
    this.#isComplete = true;
  }

  /** The usage if it is known now; undefined if tokens must be counted first. */
  get known(): CountedUsage | undefined {
    if (this.#counted) return this.#counted;
    const { input, output } = this.reported;
    const isTold = this.#isComplete && input !== undefined && output !== undefined;
    return isTold ? { type: "usage", usage: this.reported, source: "upstream" } : undefined;
  }

  /** Returns the known usage, or else a rough estimate. */
  estimate(): CountedUsage {
    const input = this.reported.input ?? roughPromptTokens(this.#request);
    return this.known ?? this.#estimated(input, this.#delivered.roughTokens());
  }

  /** Resolves with the usage, counted if the upstream hasn't reported it. */
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
    // If an answer broke off, the reported output may be outdated.
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
