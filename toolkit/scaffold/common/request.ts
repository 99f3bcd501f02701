import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";

/** What of a request the upstream takes as it is. */
const SENT = ["model", "messages", "temperature", "max_tokens"];
/** What it can't do. Another upstream may: the gateway asks it next. */
const REFUSED = ["tools", "functions", "response_format"];
/** The form that every answer has, so that asking for it asks for nothing. */
const AS_TEXT = { type: "text" };

/** What to send for a request. Every field is sent, refused, or named to the client as ignored: none gets lost. */
export function bodyOf(request: ChatRequest, call: Call): JsonObject {
  if ((request.n ?? 1) > 1) throw unsupported("n", "it gives one answer at a time");
  const body: Record<string, Json> = {};
  for (const [field, value] of Object.entries(request)) {
    if (value == null || field === "stream") continue;
    if (REFUSED.includes(field) && !Bun.deepEquals(value, AS_TEXT)) throw unsupported(field, "it has none");
    if (SENT.includes(field)) body[field] = value;
    else call.ignored(field, "the upstream has no such setting");
  }
  return body;
}

function unsupported(param: string, why: string): UpstreamError {
  return new UpstreamError("unsupported", `the upstream can't do ${param}: ${why}`, { param });
}
