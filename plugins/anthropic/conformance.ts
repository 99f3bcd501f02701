import { parseJson } from "modelyard/kit";
import { httpFixtures } from "modelyard/conformance";
import type { Answer, AnswerEvent } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

const MODEL = "claude-sonnet-4-5";
const REASONS = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use", content_filter: "refusal" };

/** Fixtures of Anthropic's Messages API for the conformance kit. */
export default httpFixtures({
  model: MODEL,
  options: (url) => ({ base_url: url, api_key: "sk-ant-conformance-0123456789" }),
  models: { data: [{ type: "model", id: MODEL, display_name: "Sonnet" }], has_more: false },
  native: {
    dialect: "anthropic-messages",
    request: {
      max_tokens: 64,
      messages: [{ role: "user", content: "Say something." }],
      novel: { kept: [1] },
    },
    count: { path: "/v1/messages/count_tokens", body: (tokens) => ({ input_tokens: tokens }) },
  },
  stream: (answer) => [
    start(answer),
    ...answer.events.flatMap(framesOf(answer)),
    reason(answer) + frame("message_stop", {}),
  ],
  early: (answer) => {
    const frames = answer.events.flatMap(framesOf(answer));
    return [
      start(answer),
      ...frames.slice(0, 2),
      reason(answer),
      ...frames.slice(2),
      reason(answer) + frame("message_stop", {}),
    ];
  },
  page: (ids, next) => ({
    data: ids.map((id) => ({ type: "model", id, display_name: id })),
    has_more: next !== undefined,
    last_id: next ?? ids.at(-1) ?? null,
  }),
  plain: message,
  filtered: (errorMessage) => ({
    type: "error",
    error: {
      type: "invalid_request_error",
      message: `Output blocked by content filtering policy: ${errorMessage}`,
    },
  }),
  failure: (errorMessage) => frame("error", { error: { type: "api_error", message: errorMessage } }),
  error: (errorMessage) => ({ type: "error", error: { type: "api_error", message: errorMessage } }),
});

function frame(type: string, members: JsonObject): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

function start(answer: Answer): string {
  return frame("message_start", {
    message: { ...message({ ...answer, toolCalls: [] }), content: [], stop_reason: null },
  });
}

function reason(answer: Answer): string {
  return frame("message_delta", { delta: { stop_reason: REASONS[answer.finish] }, usage: usageOf(answer) });
}

/** Opens a block with the first event of its kind and closes it before the next block or the end. */
function framesOf({ events }: Answer): (event: AnswerEvent, place: number) => string[] {
  const isJoined = (place: number) =>
    events[place]?.type === events[place - 1]?.type && events[place]?.type !== "tool-call";
  return (event, place) => {
    const index = events.slice(1, place + 1).filter((_, before) => !isJoined(before + 1)).length;
    return [
      ...(place > 0 && isJoined(place)
        ? []
        : [frame("content_block_start", { index, content_block: blockOf(event) })]),
      frame("content_block_delta", { index, delta: deltaOf(event) }),
      ...(isJoined(place + 1) ? [] : [frame("content_block_stop", { index })]),
    ];
  };
}

function blockOf(event: AnswerEvent): JsonObject {
  if (event.type === "text") return { type: "text", text: "" };
  if (event.type === "reasoning") return { type: "thinking", thinking: "", signature: "" };
  return { type: "tool_use", id: event.id, name: event.name, input: {} };
}

function deltaOf(event: AnswerEvent): JsonObject {
  if (event.type === "text") return { type: "text_delta", text: event.text };
  if (event.type === "reasoning") return { type: "thinking_delta", thinking: event.text };
  return { type: "input_json_delta", partial_json: event.arguments };
}

function message(answer: Answer): JsonObject {
  const { text, reasoning, toolCalls } = answer;
  const calls = toolCalls.map(({ id, name, arguments: json }) => {
    return { type: "tool_use", id, name, input: parseJson(json) as JsonObject };
  });
  return {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: MODEL,
    content: [
      ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "" }]),
      ...(text === "" ? [] : [{ type: "text", text }]),
      ...calls,
    ],
    stop_reason: REASONS[answer.finish],
    usage: usageOf(answer),
  };
}

function usageOf({ usage: { input, output } }: Answer): JsonObject {
  return { input_tokens: input, output_tokens: output };
}
