import type { Json, JsonObject } from "../../src/contract/json.ts";
import type { Exchange, FaultUpstream } from "./fault-upstream.ts";
import { jsonAnswer, sseAnswer, startFaultUpstream } from "./fault-upstream.ts";
import { foldChunks } from "./fold-chunks.ts";
import type { RunningGateway } from "./gateway.ts";
import { startGateway } from "./gateway.ts";
import { parseFrames } from "./sse-frames.ts";

/** One answer as a client gets it, streamed or plain. */
export interface Received {
  readonly status: number;
  /** The answer's choices, or what the chunks fold to. */
  readonly choices: readonly ReceivedChoice[];
  readonly error: { readonly code: string; readonly message: string } | undefined;
  /** The data lines of a stream, in their order. */
  readonly data: readonly string[];
  readonly headers: Headers;
}

export interface ReceivedChoice {
  readonly message: JsonObject & {
    readonly content?: string | null;
    readonly tool_calls?: readonly ReceivedCall[];
  };
  readonly finish_reason: string | null;
  readonly native_finish_reason?: string | null;
}

export interface ReceivedCall {
  readonly id: string;
  readonly function: { readonly name: string; readonly arguments: string };
}

/** A gateway in front of one upstream whose answers a test writes to the byte. */
export interface Door extends AsyncDisposable {
  readonly upstream: FaultUpstream;
  readonly gateway: RunningGateway;
  /** Asks, and reads the answer to its end. */
  ask(body?: object): Promise<Received>;
}

/** Starts it; `upstream` is the upstream's entry in gateway.yaml, `yaml` is what else stands there. */
export async function startDoor(entry: (url: string) => object, yaml = ""): Promise<Door> {
  const upstream = await startFaultUpstream();
  const upstreams = JSON.stringify({ it: entry(upstream.url) });
  const once = "retry: { attempts: 1 }\nhealth: { failures: 1000000 }\n";
  const gateway = await startGateway(`upstreams: ${upstreams}\n${once}${yaml}`);
  return {
    upstream,
    gateway,
    ask: async (body = {}) =>
      received(await gateway.chat({ model: "m", messages: [{ role: "user", content: "q" }], ...body })),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

/** The entry of an OpenAI-like server. */
export function openaiAt(url: string): object {
  return { plugin: "openai", options: { base_url: url, api_key: "key-1", models: ["m"] } };
}

async function received(response: Response): Promise<Received> {
  const { status, headers } = response;
  const text = await response.text();
  if (!headers.get("content-type")?.includes("event-stream")) {
    const { choices = [], error } = JSON.parse(text) as Partial<Received>;
    return { status, headers, choices, error, data: [] };
  }
  const { data, chunks } = parseFrames(text);
  const folded = foldChunks(chunks) as {
    choices?: (ReceivedChoice & { delta: ReceivedChoice["message"] })[];
  };
  const choices = (folded.choices ?? []).map(({ delta, ...rest }) => ({ ...rest, message: delta }));
  return { status, headers, choices, error: (folded as Partial<Received>).error, data };
}

/** A streamed chunk with one choice. */
export function chunk(delta: Json, finish: string | null = null, more: JsonObject = {}): string {
  const choice = { index: 0, delta, finish_reason: finish };
  const head = { id: "c1", object: "chat.completion.chunk", created: 1_700_000_000, model: "m" };
  return `data: ${JSON.stringify({ ...head, choices: [choice], ...more })}\n\n`;
}

export const DONE = "data: [DONE]\n\n";

/** A plain answer with this message. */
export function plain(message: Json, more: JsonObject = { finish_reason: "stop" }): JsonObject {
  const choice = { index: 0, message, ...more };
  return { id: "c1", object: "chat.completion", created: 1_700_000_000, model: "m", choices: [choice] };
}

/** Has the upstream answer each request with these frames, and end. */
export function streams(frames: readonly string[]): (exchange: Exchange) => void {
  // An empty chunk would be the last one.
  return (exchange) => exchange.send(sseAnswer(frames.filter((frame) => frame !== "")));
}

/** Has the upstream answer each request with this JSON. */
export function answers(body: Json): (exchange: Exchange) => void {
  return (exchange) => exchange.send(jsonAnswer(body));
}

/** The calls of the only choice, as `[name, arguments]`. */
export function callsIn({ choices }: Received): readonly (readonly [string, string])[] {
  return (choices[0]?.message.tool_calls ?? []).map(({ function: { name, arguments: text } }) => [
    name,
    text,
  ]);
}

/** The error of an answer that failed; throws where it was given as a good one. */
export function failureOf(answer: Received): { readonly code: string; readonly message: string } {
  const finished = answer.choices.some(({ finish_reason }) => finish_reason !== null);
  if (!answer.error || finished || answer.data.includes("[DONE]"))
    throw new Error(`the answer was given as a good one: ${JSON.stringify(answer.choices)}`);
  return answer.error;
}
