import { expect } from "bun:test";
import type { ChatEvent, Json, JsonObject, UpstreamError } from "modelyard/plugin";
import { openaiStream } from "../../src/kit/index.ts";
import type { OpenAiStreamOptions } from "../../src/kit/index.ts";
import { outcomeOf, streamOf } from "./pieces.ts";

const encoder = new TextEncoder();

/** What an answer said, and how it failed, if it did. */
export interface Outcome {
  readonly items: ChatEvent[];
  readonly error: unknown;
}

/** Reads an answer's body as `openaiStream` does. */
export function read(body: string | readonly Uint8Array[], options?: OpenAiStreamOptions): Promise<Outcome> {
  const pieces = typeof body === "string" ? [encoder.encode(body)] : body;
  return outcomeOf(openaiStream(new Response(streamOf(pieces)), options));
}

/** The event stream of these chunks, with `[DONE]` unless told otherwise. */
export function streamed(chunks: readonly Json[], end = "data: [DONE]\n\n"): string {
  return chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("") + end;
}

/** A chunk with one delta of the first choice. */
export const delta = (fields: JsonObject, more: JsonObject = {}): JsonObject => ({
  choices: [{ index: 0, delta: fields, finish_reason: null, ...more }],
});
/** The chunk that ends the first choice. */
export const stop: JsonObject = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
export const finish: ChatEvent = { type: "finish", reason: "stop" };
export const text = (said: string): ChatEvent => ({ type: "text", text: said });

/** The events of one delta in a good answer, without the finish. */
export async function eventsOf(fields: JsonObject, more: JsonObject = {}): Promise<ChatEvent[]> {
  const { items, error } = await read(streamed([delta(fields, more), stop]));
  expect(error).toBeUndefined();
  expect(items.at(-1)).toEqual(finish);
  return items.slice(0, -1);
}

/** Fails unless an answer ended with this code. */
export function expectError({ error }: Outcome, code: UpstreamError["code"], message?: RegExp): void {
  expect(error).toMatchObject({ name: "UpstreamError", code });
  if (message) expect((error as Error).message).toMatch(message);
}

export const HEAD = {
  id: "c1",
  object: "chat.completion.chunk",
  created: 7,
  model: "m",
  system_fingerprint: "f",
};
export const USAGE = {
  prompt_tokens: 9,
  completion_tokens: 5,
  total_tokens: 14,
  prompt_tokens_details: { cached_tokens: 3, audio_tokens: null },
  completion_tokens_details: { reasoning_tokens: 2 },
};
export const USAGE_EVENT: ChatEvent = {
  type: "usage",
  usage: { input: 9, cachedInput: 3, output: 5, reasoning: 2, raw: USAGE },
};

export const ANSWER = streamed([
  { ...HEAD, ...delta({ role: "assistant", content: "" }), obfuscation: "a" },
  { ...HEAD, ...delta({ content: "Grüß" }), obfuscation: "bc" },
  { ...HEAD, ...delta({ content: " Gott \u{1F600}" }) },
  { ...HEAD, ...stop },
  { ...HEAD, choices: [], usage: USAGE },
]);
export const ANSWER_EVENTS: ChatEvent[] = [
  { type: "extra", at: "chunk", fields: { id: "c1", created: 7, model: "m", system_fingerprint: "f" } },
  text("Grüß"),
  text(" Gott \u{1F600}"),
  finish,
  USAGE_EVENT,
];
