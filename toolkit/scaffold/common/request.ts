import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";

/** Request fields that are sent unchanged. */
const SENT = ["model", "messages", "temperature", "max_tokens"];
/** Fields that the gateway handles: a stream is requested or not by the plugin, and the usage chunk is the gateway's. */
const HANDLED = ["stream", "stream_options"];
/** Fields that the upstream doesn't support. The gateway tries the next upstream, which may. */
const REFUSED = ["tools", "functions", "response_format"];
/** The format of every answer, so that requesting it has no effect. */
const AS_TEXT = { type: "text" };

/** Returns the body to send. Every field is sent, refused, or reported to the client as ignored. */
export function bodyOf(request: ChatRequest, call: Call): JsonObject {
  if ((request.n ?? 1) > 1) throw unsupported("n", "it gives one answer at a time");
  const body: Record<string, Json> = {};
  for (const [field, value] of Object.entries(request)) {
    if (value == null || HANDLED.includes(field)) continue;
    if (REFUSED.includes(field) && !Bun.deepEquals(value, AS_TEXT)) throw unsupported(field, "it has none");
    if (SENT.includes(field)) body[field] = value;
    else call.ignored(field, "the upstream has no such setting");
  }
  return body;
}

function unsupported(param: string, why: string): UpstreamError {
  return new UpstreamError("unsupported", `the upstream can't do ${param}: ${why}`, { param });
}
