import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, FinishReason, UpstreamErrorCode } from "modelyard/plugin";

/** What the upstream says, one JSON text in each frame. */
export type Frame =
  | { readonly type: "welcome" }
  | { readonly type: "word"; readonly text: string }
  | { readonly type: "end"; readonly reason: FinishReason; readonly tokens: Tokens }
  | { readonly type: "error"; readonly code: string; readonly message: string; readonly wait_s?: number };

interface Tokens {
  readonly read: number;
  readonly written: number;
}

/** The upstream's own codes; every other one says that it failed. */
const CODES = new Map<string, UpstreamErrorCode>([
  ["bad_token", "rejected"],
  ["slow_down", "rate-limited"],
  ["no_credit", "out-of-credit"],
  ["improper", "content-filter"],
  ["no_model", "no-such-model"],
  ["busy", "unavailable"],
]);

/** A frame's text as it is meant. Throws `bad-response` for what is no frame. */
export function parsed(text: string): Frame {
  try {
    return JSON.parse(text) as Frame;
  } catch (cause) {
    throw new UpstreamError("bad-response", "the upstream sent a frame that is no JSON", { cause });
  }
}

/** What a frame adds to the answer. Throws what an `error` says. */
export function eventsOf(frame: Frame): readonly ChatEvent[] {
  switch (frame.type) {
    case "welcome":
      return [];
    case "word":
      return [{ type: "text", text: frame.text }];
    case "end": {
      const { read, written } = frame.tokens;
      return [
        { type: "usage", usage: { input: read, output: written } },
        { type: "finish", reason: frame.reason },
      ];
    }
    case "error": {
      const when = frame.wait_s === undefined ? {} : { retryAfterMs: frame.wait_s * 1_000 };
      throw new UpstreamError(CODES.get(frame.code) ?? "failed", frame.message, when);
    }
    default:
      throw new UpstreamError("bad-response", "the upstream sent a frame of an unknown type");
  }
}
