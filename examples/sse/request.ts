import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";

/** What the upstream takes as OpenAI's clients write it. */
const SENT = new Set([
  "model",
  "messages",
  "tools",
  "tool_choice",
  "temperature",
  "top_p",
  "max_tokens",
  "stop",
  "seed",
]);
/** The gateway's affair: it makes a stream or one JSON document of the same events. */
const NOT_SENT = new Set(["stream", "stream_options"]);
/** What would make another answer than was asked for, so that it can't just be left out. */
const REFUSED = new Set(["functions", "response_format"]);
/** The form that every answer has, so that asking for it asks for nothing. */
const AS_TEXT = { type: "text" };

/** What to send for a request. Every field is sent, refused, or named to the client as ignored: none gets lost. */
export function bodyOf(request: ChatRequest, thoughts: boolean, call: Call): JsonObject {
  if ((request.n ?? 1) > 1) throw unsupported("n", "it gives one answer at a time");
  const body: Record<string, Json> = { thoughts };
  for (const [field, value] of Object.entries(request)) {
    if (value == null || NOT_SENT.has(field)) continue;
    if (REFUSED.has(field) && !Bun.deepEquals(value, AS_TEXT))
      throw unsupported(field, "it has no such thing");
    if (SENT.has(field)) body[field] = value;
    else call.ignored(field, "the upstream has no such setting");
  }
  return body;
}

function unsupported(param: string, why: string): UpstreamError {
  return new UpstreamError("unsupported", `the upstream can't do ${param}: ${why}`, { param });
}
