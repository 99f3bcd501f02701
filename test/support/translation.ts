import { jsonAnswer, sseAnswer, startFaultUpstream } from "./fault-upstream.ts";
import type { Exchange } from "./fault-upstream.ts";
import { startGateway } from "./gateway.ts";
import type { RunningGateway } from "./gateway.ts";

/** A gateway whose upstreams `an`, `ge` and `oa` (plugins anthropic, gemini, openai) point at one recording stub. */
export interface Translation extends AsyncDisposable {
  readonly gateway: RunningGateway;
  /** Sends a chat request. */
  ask(body: object): Promise<Asked>;
  /** The same with a body that is written already. */
  askText(body: string): Promise<Asked>;
  /** Asks `an` and `ge` the same. */
  askBoth(body: object): Promise<{ readonly an: Asked; readonly ge: Asked }>;
  /** What the next answers consist of, in place of the text "ok". */
  answer(parts: readonly AnswerPart[]): void;
}

/** What came of a request: the client's answer, and what the stub was sent meanwhile. */
export interface Asked {
  readonly status: number;
  /** The answer as text. */
  readonly text: string;
  readonly error:
    | { readonly message: string; readonly code: string; readonly param: string | null }
    | undefined;
  /** The tool calls of the answer, plain or streamed. */
  readonly calls: readonly CallSaid[];
  /** `x-modelyard-ignored`. */
  readonly ignored: string;
  /** The bodies that the stub was sent, in their order. */
  readonly up: readonly Sent[];
  /** The same as text, for numbers. */
  readonly raw: readonly string[];
  readonly paths: readonly string[];
}

interface CallSaid {
  readonly id: string;
  readonly function: { readonly name: string; readonly arguments: string };
}

/** What an upstream was sent, as far as tests look at it: of Anthropic's form, or of Gemini's. */
export interface Sent {
  readonly system?: readonly Block[];
  readonly messages: readonly { readonly role: string; readonly content: readonly Block[] }[];
  readonly contents: readonly { readonly role: string; readonly parts: readonly Part[] }[];
  readonly systemInstruction?: { readonly parts: readonly Part[] };
  readonly tools: readonly SentTool[];
  readonly tool_choice?: { readonly name?: string };
  readonly toolConfig?: {
    readonly functionCallingConfig: { readonly allowedFunctionNames: readonly string[] };
  };
  readonly generationConfig?: object;
  readonly metadata?: object;
}

export interface SentTool {
  readonly name: string;
  readonly input_schema: object;
  readonly functionDeclarations: readonly { readonly name: string; readonly parametersJsonSchema?: object }[];
}

export interface Block {
  readonly type: string;
  readonly text?: string;
  readonly id?: string;
  readonly name?: string;
  readonly input?: object;
  readonly tool_use_id?: string;
  readonly content?: string | readonly Block[];
  readonly is_error?: boolean;
  readonly source?: { readonly media_type?: string; readonly data?: string };
  readonly cache_control?: object;
}

export interface Part {
  readonly text?: string;
  readonly inlineData?: { readonly mimeType: string; readonly data: string };
  readonly fileData?: object;
  readonly functionCall?: { readonly id: string; readonly name: string; readonly args: object };
  readonly functionResponse?: {
    readonly id: string;
    readonly name: string;
    readonly response: object;
    readonly parts?: readonly Part[];
  };
}

export type AnswerPart = { readonly text: string } | { readonly call: string; readonly id?: string };

export const AN = "an/claude-sonnet-4-5";
export const GE = "ge/gemini-2.5-flash";
export const GE3 = "ge/gemini-3-flash-preview";

/** Starts the stub and the gateway; `routes` are added to its configuration. */
export async function startTranslation(routes = ""): Promise<Translation> {
  const stub = await startFaultUpstream();
  let parts: readonly AnswerPart[] = [{ text: "ok" }];
  stub.respond = (exchange) => respond(exchange, parts);
  const gateway = await startGateway(`
upstreams:
  an: { plugin: anthropic, options: { api_key: sk-ant, base_url: "${stub.url}", models: [claude-sonnet-4-5, claude-opus-4-6] } }
  ge: { plugin: gemini, options: { api_key: key-1, base_url: "${stub.url}/v1beta", models: [gemini-2.5-flash, gemini-3-flash-preview] } }
  oa: { plugin: openai, options: { api_key: key-2, base_url: "${stub.url}/oa/v1", models: [m] } }
retry: { attempts: 3 }
health: { failures: 100000 }
${routes}`);
  const askText = async (body: string): Promise<Asked> => {
    const before = stub.requests.length;
    const response = await gateway.chat({}, { body });
    const text = await response.text();
    const sent = stub.requests.slice(before);
    const raw = sent.map((exchange) => new TextDecoder().decode(exchange.body));
    return {
      status: response.status,
      text,
      error: (chunksOf(text)[0] as { error?: Asked["error"] } | undefined)?.error,
      calls: callsIn(text),
      ignored: response.headers.get("x-modelyard-ignored") ?? "",
      up: raw.map((each) => JSON.parse(each) as Sent),
      raw,
      paths: sent.map(({ path }) => path),
    };
  };
  const ask = (body: object) => askText(JSON.stringify(body));
  return {
    gateway,
    ask,
    askText,
    askBoth: async (body) => ({
      an: await ask({ model: AN, ...body }),
      ge: await ask({ model: GE, ...body }),
    }),
    answer: (said) => {
      parts = said;
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await stub[Symbol.asyncDispose]();
    },
  };
}

/** The JSON of an answer: one document, or those of a stream. */
function chunksOf(text: string): readonly unknown[] {
  if (text.startsWith("{")) return [JSON.parse(text)];
  const frames = text.split("\n\n").filter((frame) => frame.startsWith("data: {"));
  return frames.map((frame) => JSON.parse(frame.slice("data: ".length)) as unknown);
}

function callsIn(text: string): readonly CallSaid[] {
  interface Said {
    readonly tool_calls?: readonly CallSaid[];
  }
  const chunks = chunksOf(text) as readonly { choices?: readonly { message?: Said; delta?: Said }[] }[];
  const said = chunks.flatMap(({ choices }) => choices?.[0]?.message ?? choices?.[0]?.delta ?? []);
  return said.flatMap(({ tool_calls: calls }) => calls ?? []);
}

function respond(exchange: Exchange, parts: readonly AnswerPart[]): void {
  const { path } = exchange;
  if (path.includes("/messages")) respondAnthropic(exchange, parts);
  else if (path.includes(":generateContent")) exchange.send(jsonAnswer(geminiAnswer(parts) as never));
  else if (path.includes(":streamGenerateContent"))
    exchange.send(sseAnswer([`data: ${JSON.stringify(geminiAnswer(parts))}\n\n`]));
  else exchange.send(jsonAnswer(OPENAI as never));
}

const OPENAI = {
  id: "c",
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: "ok" }, finish_reason: "stop" }],
};

function geminiAnswer(parts: readonly AnswerPart[]): object {
  const said = parts.map((part) =>
    "text" in part
      ? part
      : { functionCall: { name: part.call, args: { a: 1 }, ...(part.id && { id: part.id }) } },
  );
  return { candidates: [{ index: 0, content: { role: "model", parts: said }, finishReason: "STOP" }] };
}

function respondAnthropic(exchange: Exchange, parts: readonly AnswerPart[]): void {
  const content = parts.map((part, index) =>
    "text" in part
      ? { type: "text", text: part.text }
      : { type: "tool_use", id: part.id ?? `toolu_${index}`, name: part.call, input: { a: 1 } },
  );
  const reason = parts.some((part) => "call" in part) ? "tool_use" : "end_turn";
  const message = { id: "m", type: "message", role: "assistant", model: "x", stop_reason: reason };
  const usage = { input_tokens: 1, output_tokens: 1 };
  if ((exchange.json() as { stream?: boolean }).stream !== true)
    return exchange.send(jsonAnswer({ ...message, content, usage } as never));
  const events: object[] = [
    { type: "message_start", message: { ...message, stop_reason: null, content: [], usage } },
    ...content.flatMap((block, index) => [
      { type: "content_block_start", index, content_block: block },
      { type: "content_block_stop", index },
    ]),
    { type: "message_delta", delta: { stop_reason: reason }, usage: { output_tokens: 1 } },
    { type: "message_stop" },
  ];
  exchange.send(sseAnswer(events.map((event) => `data: ${JSON.stringify(event)}\n\n`)));
}

/** A tool call of an assistant's message. */
export function toolCall(id: string, name: string, args: unknown = "{}"): object {
  return { id, type: "function", function: { name, arguments: args } };
}

/** A function among `tools`. */
export function tool(name: string, parameters?: unknown): object {
  return { type: "function", function: { name, ...(parameters !== undefined && { parameters }) } };
}

/** A tool message. */
export function result(id: string, content: unknown, more: object = {}): object {
  return { role: "tool", tool_call_id: id, content, ...more };
}
