import type { ChatEvent, ChatRequest, Usage } from "../contract/index.ts";
import type { AnswerEvent, CountedUsage } from "../flow/answer-event.ts";
import type { Gateway } from "../state/gateway.ts";
import type { CountedText } from "../state/token-counter.ts";
import type { Answer } from "./dispatch.ts";
import type { RequestCall } from "./open-call.ts";

/** An answer with one usage at its end. */
export interface ObservedAnswer extends Omit<Answer, "events"> {
  readonly events: AsyncIterable<AnswerEvent>;
}

// What OpenAI's format adds to each message, and to begin the answer.
const TOKENS_PER_MESSAGE = 3;

/**
 * Step 6: adds up the usage that the upstream reports, and estimates what it leaves out, where the client
 * will see it: after the answer, by a tokenizer.
 */
export function observe(
  { events, ...answer }: Answer,
  request: ChatRequest,
  { call, gateway, tellUsage }: { call: RequestCall; gateway: Gateway; tellUsage: boolean },
): ObservedAnswer {
  async function* observed(): AsyncGenerator<AnswerEvent> {
    const account = new Account(request, tellUsage ? gateway.tokens.text() : undefined);
    for await (const event of events) {
      account.add(event);
      if (event.type !== "usage") yield event;
    }
    const usage = await account.settle(gateway);
    call.note({ input: usage?.usage.input, output: usage?.usage.output, usage: usage?.source });
    if (usage) yield usage;
  }
  return { ...answer, events: observed() };
}

class Account {
  readonly #request: ChatRequest;
  /** What the answer said; undefined when nobody will ask. */
  readonly #said: CountedText | undefined;
  #usage: Usage = {};

  constructor(request: ChatRequest, said: CountedText | undefined) {
    this.#request = request;
    this.#said = said;
  }

  add(event: ChatEvent): void {
    if (event.type === "usage") this.#usage = { ...this.#usage, ...event.usage };
    else if (event.type === "text" || event.type === "reasoning") this.#said?.add(event.text);
    else if (event.type === "tool-call") this.#said?.add((event.name ?? "") + (event.arguments ?? ""));
  }

  /** The usage of the whole answer; undefined when the upstream told none and nobody asked. */
  async settle(gateway: Gateway): Promise<CountedUsage | undefined> {
    const { input, output } = this.#usage;
    if (input !== undefined && output !== undefined)
      return { type: "usage", usage: this.#usage, source: "upstream" };
    if (!this.#said) return undefined;
    const [estimatedInput, estimatedOutput] = await Promise.all([
      input ?? promptTokens(this.#request, gateway),
      output ?? this.#said.tokens(),
    ]);
    const usage = { ...this.#usage, input: estimatedInput, output: estimatedOutput };
    return { type: "usage", usage, source: "estimated" };
  }
}

async function promptTokens(request: ChatRequest, gateway: Gateway): Promise<number> {
  const text = gateway.tokens.text();
  for (const { role, content } of request.messages) {
    text.add(role);
    if (typeof content === "string") text.add(content);
    else for (const part of content ?? []) if (typeof part["text"] === "string") text.add(part["text"]);
  }
  const { tools } = request;
  if (Array.isArray(tools)) for (const tool of tools) text.add(JSON.stringify(tool));
  return (await text.tokens()) + TOKENS_PER_MESSAGE * (request.messages.length + 1);
}
