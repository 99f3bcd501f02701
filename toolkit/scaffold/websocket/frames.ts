import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, JsonObject, UpstreamErrorCode } from "modelyard/plugin";

/** What the upstream says, one JSON text a frame. `end` comes with the last frame of an answer only. */
export interface Frame {
  readonly text?: string;
  readonly error?: { readonly code: string; readonly message: string; readonly wait_seconds?: number };
  readonly end?: "stop" | "length" | "content_filter";
  readonly tokens?: { readonly read: number; readonly written: number };
  /** The upstream's own ping, which wants an answer. */
  readonly ping?: number;
}

/** What the plugin sends. */
export type Sent = { readonly ask: JsonObject } | { readonly pong: number };

/** The upstream's own codes; every other one says that it failed. */
const CODES = new Map<string, UpstreamErrorCode>([
  ["bad-key", "rejected"],
  ["too-many", "rate-limited"],
  ["no-credit", "out-of-credit"],
  ["improper", "content-filter"],
  ["too-large", "too-large"],
]);

/** Throws `bad-response` for what is no frame. */
export function parseFrame(text: string): Frame {
  try {
    return JSON.parse(text) as Frame;
  } catch (cause) {
    throw new UpstreamError("bad-response", "the upstream sent a frame that is no JSON", { cause });
  }
}

/** What a frame adds to the answer. Throws what an `error` says. */
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
