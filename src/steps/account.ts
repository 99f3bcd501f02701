import type { ChatEvent, ChatRequest, CompletionRequest, Usage } from "../contract/index.ts";
import type { AnswerEvent, CountedUsage } from "../flow/answer-event.ts";
import { soundUsage } from "../flow/sound-usage.ts";
import type { CountedText, TokenCounter } from "../state/token-counter.ts";

/** A request whose answer is words. */
export type Asked = ChatRequest | CompletionRequest;

// What OpenAI's format adds to each message, and to begin the answer.
const TOKENS_PER_MESSAGE = 3;

/**
 * What one answer has used so far: what the upstream reports, and what was delivered, in case it reports
 * nothing or the answer doesn't come to its end.
 */
export class Account {
  readonly #request: Asked;
  readonly #tokens: TokenCounter;
  readonly #delivered: CountedText;
  #reported: Usage = {};
  #hasBegun = false;
  #isComplete = false;
  #counting: Promise<CountedUsage> | undefined;
  #counted: CountedUsage | undefined;

  constructor(request: Asked, tokens: TokenCounter) {
    this.#request = request;
    this.#tokens = tokens;
    this.#delivered = tokens.text();
  }

  /** Takes in what is on its way to the client, and gives what the client is to see of it: all but the usage. */
  take(batch: readonly ChatEvent[]): readonly AnswerEvent[] {
    let reports = 0;
    for (const event of batch) {
      if (event.type === "usage") {
        reports += 1;
        this.#reported = soundUsage({ ...this.#reported, ...event.usage });
      } else if (event.type === "text" || event.type === "reasoning") this.#delivered.add(event.text);
      else if (event.type === "tool-call") this.#delivered.add((event.name ?? "") + (event.arguments ?? ""));
    }
    if (reports < batch.length) this.#hasBegun = true;
    // Nearly always there is none, and the batch goes on as it is.
    return reports === 0
      ? (batch as readonly AnswerEvent[])
      : batch.filter((event) => event.type !== "usage");
  }

  /** The answer has come to its end: what the upstream reported of it is final. */
  complete(): void {
    this.#isComplete = true;
  }

  /** The usage where it can be told now; undefined where words must be counted first. */
  get known(): CountedUsage | undefined {
    if (this.#counted) return this.#counted;
    const { input, output } = this.#reported;
    const isTold = this.#isComplete && input !== undefined && output !== undefined;
    // Where nothing was delivered there is nothing to count either.
    return isTold || !this.#hasBegun ? fromUpstream(this.#reported) : undefined;
  }

  /** The usage of what was delivered, counted where the upstream hasn't told it. */
  async count(): Promise<CountedUsage> {
    return this.known ?? (this.#counted = await (this.#counting ??= this.#count()));
  }

  async #count(): Promise<CountedUsage> {
    const { output: _, reasoning: __, raw: ___, ...ofInput } = this.#reported;
    // Of an answer that broke off the upstream has not yet said how long it was.
    const told: Usage = this.#isComplete ? this.#reported : ofInput;
    const [countedInput, countedOutput] = await Promise.all([
      told.input ?? promptTokens(this.#request, this.#tokens),
      told.output ?? this.#delivered.tokens(),
    ]);
    const usage = soundUsage({ ...told, input: countedInput, output: countedOutput });
    return { type: "usage", usage, source: "estimated" };
  }
}

function fromUpstream(usage: Usage): CountedUsage {
  return { type: "usage", usage, source: "upstream" };
}

async function promptTokens(request: Asked, tokens: TokenCounter): Promise<number> {
  const text = tokens.text();
  if (!isChat(request)) text.add(request.prompt);
  for (const { role, content } of isChat(request) ? request.messages : []) {
    text.add(role);
    if (typeof content === "string") text.add(content);
    else for (const part of content ?? []) if (typeof part["text"] === "string") text.add(part["text"]);
  }
  const { tools } = request;
  if (Array.isArray(tools)) for (const tool of tools) text.add(JSON.stringify(tool));
  return (await text.tokens()) + (isChat(request) ? TOKENS_PER_MESSAGE * (request.messages.length + 1) : 0);
}

function isChat(request: Asked): request is ChatRequest {
  return Array.isArray(request["messages"]);
}
