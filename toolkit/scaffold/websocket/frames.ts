import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, JsonObject, UpstreamErrorCode } from "modelyard/plugin";

/** One JSON frame of the upstream. Only the last one of an answer has `end`. */
export interface Frame {
  readonly text?: string;
  readonly error?: { readonly code: string; readonly message: string; readonly wait_seconds?: number };
  readonly end?: "stop" | "length" | "content_filter";
  readonly tokens?: { readonly read: number; readonly written: number };
  /** The upstream's ping, which requires an answer. */
  readonly ping?: number;
}

/** A frame that the plugin sends. */
export type Sent = { readonly ask: JsonObject } | { readonly pong: number };

/** The upstream's error codes. Any other one means `failed`. */
const CODES = new Map<string, UpstreamErrorCode>([
  ["bad-key", "rejected"],
  ["too-many", "rate-limited"],
  ["no-credit", "out-of-credit"],
  ["improper", "content-filter"],
  ["too-large", "too-large"],
]);

/** Parses a frame. Throws `bad-response` for an invalid one. */
export function parseFrame(text: string): Frame {
  try {
    return JSON.parse(text) as Frame;
  } catch (cause) {
    throw new UpstreamError("bad-response", "the upstream sent a frame that is no JSON", { cause });
  }
}

/** Yields the events of a frame. Throws the error of an `error` frame. */
export function* eventsOf({ text, error, end, tokens }: Frame): Generator<ChatEvent> {
  if (error) {
    const { code, message, wait_seconds: wait } = error;
    const when = wait === undefined ? {} : { retryAfterMs: wait * 1_000 };
    throw new UpstreamError(CODES.get(code) ?? "failed", message, when);
  }
  if (text) yield { type: "text", text };
  if (tokens) yield { type: "usage", usage: { input: tokens.read, output: tokens.written } };
  if (end) yield { type: "finish", reason: end };
}
