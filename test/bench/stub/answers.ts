import { LANES, MODEL, textOf, tokenOf } from "../order.ts";
import type { Order } from "../order.ts";

/**
 * The bytes that the stub sends. Each is made once, so that answering costs little more than a write.
 * @module
 */
const PROMPT_TOKENS = 250;

/** A stream's head, with the status line. */
export const STREAM_HEAD = Buffer.from(
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n",
);

export const NOT_FOUND = Buffer.from("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");

/** One whole JSON answer with its head. */
export const plainAnswer = remembered((order: Order): Buffer => {
  const body = JSON.stringify({
    id: `chatcmpl-${order.lane}`,
    object: "chat.completion",
    created: 1_767_225_600,
    model: MODEL,
    choices: [{ index: 0, message: { role: "assistant", content: textOf(order) }, finish_reason: "stop" }],
    usage: usageOf(order),
  });
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
});

/** One whole streamed answer with its head, for one write. */
export const burstAnswer = remembered((order: Order): Buffer => {
  const events = Array.from({ length: order.tokens }, (_, n) => tokenEvent(order.lane, n));
  const text = [roleEvent(order.lane), ...events, endEvents(order)].join("");
  return Buffer.concat([STREAM_HEAD, chunk(text), chunk("")]);
});

/** How a paced stream begins: its head, the role, and the first token. */
export const streamStart = remembered(({ lane }: Order): Buffer => {
  return Buffer.concat([STREAM_HEAD, chunk(roleEvent(lane) + tokenEvent(lane, 0))]);
});

/** How a stream ends: the finish, the usage, `[DONE]`. */
export const streamEnd = remembered((order: Order): Buffer => {
  return Buffer.concat([chunk(endEvents(order)), chunk("")]);
});

/** A whole Messages stream with its head, for one write. */
export const burstMessage = remembered((order: Order): Buffer => {
  const { lane, tokens } = order;
  const message = { id: `msg_${lane}`, type: "message", role: "assistant", model: MODEL, content: [] };
  const usage = { input_tokens: PROMPT_TOKENS, output_tokens: 0 };
  const start = { message: { ...message, stop_reason: null, stop_sequence: null, usage } };
  const delta = (n: number) => ({ index: 0, delta: { type: "text_delta", text: tokenOf(lane, n) } });
  const text = [
    messageEvent("message_start", start),
    messageEvent("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ...Array.from({ length: tokens }, (_, n) => messageEvent("content_block_delta", delta(n))),
    messageEvent("content_block_stop", { index: 0 }),
    messageEvent("message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: tokens },
    }),
    messageEvent("message_stop", {}),
  ].join("");
  return Buffer.concat([STREAM_HEAD, chunk(text), chunk("")]);
});

function messageEvent(type: string, members: object): string {
  return `event: ${type}\n${data({ type, ...members })}`;
}

const tokenChunks: Buffer[][] = Array.from({ length: LANES }, () => []);

/** The token number `n` of a lane's text, as an event of its own. */
export function tokenChunk(lane: number, n: number): Buffer {
  const chunks = tokenChunks[lane] ?? [];
  return (chunks[n] ??= chunk(tokenEvent(lane, n)));
}

function remembered(make: (order: Order) => Buffer): (order: Order) => Buffer {
  const made = new Map<number, Buffer>();
  return (order) => {
    const name = order.lane + LANES * order.tokens;
    let bytes = made.get(name);
    if (!bytes) made.set(name, (bytes = make(order)));
    return bytes;
  };
}

function roleEvent(lane: number): string {
  return event(lane, { role: "assistant", content: "" });
}

function tokenEvent(lane: number, n: number): string {
  return event(lane, { content: tokenOf(lane, n) });
}

function endEvents(order: Order): string {
  const usage = data({ ...envelope(order.lane), choices: [], usage: usageOf(order) });
  return `${event(order.lane, {}, "stop")}${usage}data: [DONE]\n\n`;
}

function event(lane: number, delta: object, finish: string | null = null): string {
  return data({ ...envelope(lane), choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });
}

function envelope(lane: number): object {
  return {
    id: `chatcmpl-${lane}`,
    object: "chat.completion.chunk",
    created: 1_767_225_600,
    model: MODEL,
    system_fingerprint: "fp_bench",
  };
}

function usageOf({ tokens }: Order): object {
  return {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: tokens,
    total_tokens: PROMPT_TOKENS + tokens,
  };
}

function data(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** As a chunk of a chunked body; of an empty text it is the last one. */
function chunk(text: string): Buffer {
  return Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`);
}
