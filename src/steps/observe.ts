import type {
  ChatEvent,
  ChatRequest,
  CompletionRequest,
  EmbedRequest,
  EmbedResult,
  Usage,
} from "../contract/index.ts";
import { wantsUsage } from "../dialects/openai-chat/request.ts";
import type { AnswerEvent, CountedUsage } from "../flow/answer-event.ts";
import type { Gateway } from "../state/gateway.ts";
import type { CountedText } from "../state/token-counter.ts";
import type { Answer, Answered } from "./dispatch.ts";
import type { RequestCall } from "./open-call.ts";

/** An answer with one usage at its end. */
export interface ObservedAnswer extends Answered {
  readonly events: AsyncIterable<readonly AnswerEvent[]>;
}

type Asked = ChatRequest | CompletionRequest;

interface Around {
  readonly call: RequestCall;
  readonly gateway: Gateway;
}

// What OpenAI's format adds to each message, and to begin the answer.
const TOKENS_PER_MESSAGE = 3;

/**
 * Step 6: adds up the usage that the upstream reports, and estimates what it leaves out, where the client
 * will see it: after the answer, by a tokenizer.
 */
export async function observe(
  answer: Promise<Answer>,
  request: Asked,
  around: Around,
): Promise<ObservedAnswer> {
  const { events, ...answered } = await answer;
  return { ...answered, events: observed(events, request, around) };
}

async function* observed(
  events: AsyncIterable<readonly ChatEvent[]>,
  request: Asked,
  { call, gateway }: Around,
): AsyncGenerator<readonly AnswerEvent[]> {
  // A plain answer always tells its usage, a streamed one when asked.
  const told = request.stream !== true || wantsUsage(request);
  const account = new Account(request, told ? gateway.tokens.text() : undefined);
  for await (const batch of events) {
    for (const event of batch) account.add(event);
    const said = batch.filter((event) => event.type !== "usage");
    if (said.length > 0) yield said;
  }
  const usage = await account.settle(gateway);
  noteUsage(call, usage);
  if (usage) yield [usage];
}

/** The usage of embeddings, estimated where the upstream told none. */
export async function embeddingUsage(
  { usage: told = {} }: EmbedResult,
  { input }: EmbedRequest,
  { call, gateway }: Around,
): Promise<CountedUsage> {
  const counted: CountedUsage =
    told.input === undefined
      ? { type: "usage", usage: { ...told, input: await inputTokens(input, gateway) }, source: "estimated" }
      : { type: "usage", usage: told, source: "upstream" };
  noteUsage(call, counted);
  return counted;
}

/** Texts are counted; token numbers are tokens. */
async function inputTokens(input: EmbedRequest["input"], gateway: Gateway): Promise<number> {
  const text = gateway.tokens.text();
  let numbers = 0;
  for (const item of input) {
    if (typeof item === "string") text.add(item);
    else numbers += item.length;
  }
  return numbers + (await text.tokens());
}

function noteUsage(call: RequestCall, counted: CountedUsage | undefined): void {
  call.note({ input: counted?.usage.input, output: counted?.usage.output, usage: counted?.source });
}

class Account {
  readonly #request: Asked;
  /** What the answer said; undefined when nobody will ask. */
  readonly #said: CountedText | undefined;
  #usage: Usage = {};

  constructor(request: Asked, said: CountedText | undefined) {
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

async function promptTokens(request: Asked, gateway: Gateway): Promise<number> {
  const text = gateway.tokens.text();
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
