import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject, Message } from "modelyard/plugin";

/** OpenAI's names of the settings that the upstream has, with its own names. */
const SETTINGS = new Map([
  ["temperature", "temperature"],
  ["top_p", "nucleus"],
  ["max_tokens", "max_length"],
  ["max_completion_tokens", "max_length"],
  ["stop", "stop_at"],
]);
/** Said by `turns` and `instructions`, or by the gateway itself. */
const DONE = new Set(["model", "messages", "stream", "stream_options"]);
const REFUSED = new Set(["tools", "functions", "response_format"]);
/** The form that every answer has, so that asking for it asks for nothing. */
const AS_TEXT = { type: "text" };

/** What to send: OpenAI's conversation as the upstream's instructions and turns, its settings under their own names. */
export function bodyOf(request: ChatRequest, persona: string, call: Call): JsonObject {
  if ((request.n ?? 1) > 1) throw unsupported("n", "it gives one answer at a time");
  const settings: Record<string, Json> = {};
  for (const [field, value] of Object.entries(request)) {
    const name = SETTINGS.get(field);
    if (value == null || DONE.has(field)) continue;
    if (REFUSED.has(field) && !Bun.deepEquals(value, AS_TEXT))
      throw unsupported(field, "it has no such thing");
    if (name) settings[name] = value;
    else call.ignored(field, "the upstream has no such setting");
  }
  const said = request.messages.map((message, place) => ({
    role: message.role,
    text: textOf(message, place),
  }));
  const instructions = said.filter(({ role }) => INSTRUCTING.has(role)).map(({ text }) => text);
  return {
    model: request.model,
    instructions: [persona, ...instructions].filter(Boolean).join("\n\n"),
    turns: said
      .filter(({ role }) => !INSTRUCTING.has(role))
      .map(({ role, text }) => ({ speaker: role === "assistant" ? "machine" : "human", text })),
    ...settings,
  };
}

const INSTRUCTING: ReadonlySet<string> = new Set(["system", "developer"]);

function textOf({ role, content }: Message, place: number): string {
  const param = `messages[${place}]`;
  if (role === "tool" || role === "function") throw unsupported(param, "it calls no tools");
  if (typeof content === "string") return content;
  const parts = content ?? [];
  if (parts.some(({ type }) => type !== "text")) throw unsupported(param, "it reads nothing but text");
  return parts.map(({ text }) => (typeof text === "string" ? text : "")).join("\n");
}

function unsupported(param: string, why: string): UpstreamError {
  return new UpstreamError("unsupported", `the upstream can't do ${param}: ${why}`, { param });
}
