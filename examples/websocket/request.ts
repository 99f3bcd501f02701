import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, JsonObject } from "modelyard/plugin";

/** What the upstream's settings can say; a request without them gets the upstream's own. */
const SETTINGS = ["temperature", "max_tokens", "stop"];
const DONE = ["model", "messages", "stream", "stream_options", ...SETTINGS];
const REFUSED = ["tools", "functions", "response_format"];
/** The form that every answer has, so that asking for it asks for nothing. */
const AS_TEXT = { type: "text" };

/** The frame that asks for an answer. Every field is sent, refused, or named to the client as ignored. */
export function frameOf(request: ChatRequest, call: Call): JsonObject {
  const refused =
    REFUSED.find((field) => !Bun.deepEquals(request[field] ?? AS_TEXT, AS_TEXT)) ??
    ((request.n ?? 1) > 1 ? "n" : undefined);
  if (refused) {
    throw new UpstreamError("unsupported", `the upstream can't do ${refused}`, { param: refused });
  }
  for (const [field, value] of Object.entries(request)) {
    if (value != null && !DONE.includes(field)) call.ignored(field, "the upstream has no such setting");
  }
  const settings = Object.fromEntries(SETTINGS.map((name) => [name, request[name] ?? undefined]));
  return { type: "ask", model: request.model, messages: request.messages, settings };
}
