import type { Json, JsonObject } from "../../src/contract/json.ts";

/** How a body's end is told: by chunked encoding, by the connection's end, or by its length. */
export type Framing = "chunked" | "close" | "length";

export interface OpenaiChunksOptions {
  readonly model?: string;
  /** UTF-16 units per chunk. Default 5. */
  readonly units?: number;
  /** null leaves the chunk with finish_reason out. Default "stop". */
  readonly finish?: string | null;
  /** Gives a last chunk with empty `choices` and this usage. Default: none. */
  readonly usage?: JsonObject;
  /** Whether `data: [DONE]` comes last. Default true. */
  readonly done?: boolean;
}

/** The SSE frames of a streamed chat completion as OpenAI sends it: role, pieces of text, finish, usage, `[DONE]`. */
export function openaiChunks(text: string, options: OpenaiChunksOptions = {}): string[] {
  const { finish = "stop", units = 5, usage, done = true } = options;
  const chunk = (members: JsonObject): string => frame({ ...envelope(options.model), ...members });
  const frames = [chunk({ choices: [choice({ role: "assistant", content: "" })] })];
  for (let start = 0; start < text.length; start += units) {
    frames.push(chunk({ choices: [choice({ content: text.slice(start, start + units) })] }));
  }
  if (finish !== null) frames.push(chunk({ choices: [choice({}, finish)] }));
  if (usage) frames.push(chunk({ choices: [], usage }));
  if (done) frames.push("data: [DONE]\n\n");
  return frames;
}

/** A complete 200 of these SSE frames, head included; chunked, each frame is a chunk of its own. */
export function sseAnswer(frames: readonly string[], framing: Framing = "chunked"): Uint8Array {
  const headers = { "content-type": "text/event-stream; charset=utf-8" };
  return httpAnswer(200, headers, { pieces: frames, framing });
}

/** A complete JSON answer, head included. */
export function jsonAnswer(body: Json, status = 200, headers: Record<string, string> = {}): Uint8Array {
  const all = { "content-type": "application/json", ...headers };
  return httpAnswer(status, all, { pieces: [JSON.stringify(body)], framing: "length" });
}

/** A plain chat completion as OpenAI sends it. */
export function openaiCompletion(text: string, usage?: JsonObject): JsonObject {
  return {
    ...envelope(),
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
    ...(usage ? { usage } : {}),
  };
}

/** Where an answer's body begins. */
export function bodyStart(answer: Uint8Array): number {
  return Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength).indexOf("\r\n\r\n") + 4;
}

/** The head of an answer, to the empty line. */
export function headText(status: number, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Status\r\n${lines.join("")}\r\n`;
}

/** Bytes in HTTP's chunked encoding (RFC 9112, 7.1). */
export function chunkOf(bytes: string | Uint8Array): Uint8Array {
  const data = Buffer.from(bytes as Uint8Array);
  return Buffer.concat([Buffer.from(`${data.byteLength.toString(16)}\r\n`), data, Buffer.from("\r\n")]);
}

/** The headers that say how a body of this length is framed. */
export function framingHeaders(framing: Framing, length?: number): Record<string, string> {
  switch (framing) {
    case "chunked":
      return { "transfer-encoding": "chunked" };
    case "close":
      return { connection: "close" };
    case "length":
      return length === undefined ? {} : { "content-length": String(length) };
  }
}

interface Body {
  readonly pieces: readonly string[];
  readonly framing: Framing;
}

function httpAnswer(status: number, headers: Record<string, string>, { pieces, framing }: Body): Uint8Array {
  const body = Buffer.concat(
    pieces.map((piece) => (framing === "chunked" ? chunkOf(piece) : Buffer.from(piece))),
  );
  const head = headText(status, { ...headers, ...framingHeaders(framing, body.byteLength) });
  return Buffer.concat([Buffer.from(head), body, Buffer.from(framing === "chunked" ? "0\r\n\r\n" : "")]);
}

function envelope(model = "gpt-4o-mini"): JsonObject {
  return { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1_700_000_000, model };
}

function choice(delta: JsonObject, finish: string | null = null): JsonObject {
  return { index: 0, delta, finish_reason: finish };
}

function frame(chunk: JsonObject): string {
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
