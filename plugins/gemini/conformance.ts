import { parseJson } from "modelyard/kit";
import { httpFixtures } from "modelyard/conformance";
import type { Answer } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

const MODEL = "gemini-3-flash";
const REASONS = { stop: "STOP", length: "MAX_TOKENS", tool_calls: "STOP", content_filter: "SAFETY" };

/** Fixtures of Google's Gemini API for the conformance kit. */
export default httpFixtures({
  model: MODEL,
  options: (url) => ({ base_url: `${url}/v1beta`, api_key: "AIza-conformance-0123456789" }),
  models: { models: [{ name: `models/${MODEL}`, supportedGenerationMethods: ["generateContent"] }] },
  isStreamed: ({ path }) => path.includes(":streamGenerateContent"),
  stream: (answer) => [...answer.events.map(frameOf), end(answer)],
  early: (answer) => {
    const [first = "", ...others] = answer.events.map(frameOf);
    return [first, end(answer), ...others, end(answer)];
  },
  joined: (answer) => [
    ...answer.events.slice(0, -1).map(frameOf),
    end(answer, answer.events.slice(-1).map(partOf)),
  ],
  givenUp: (answer) => [
    ...answer.events.slice(0, 2).map(frameOf),
    frame({ candidates: [{ ...candidate([{ text: "" }]), finishReason: "MALFORMED_FUNCTION_CALL" }] }),
  ],
  page: (ids, next) => ({
    models: ids.map((id) => ({ name: `models/${id}`, supportedGenerationMethods: ["generateContent"] })),
    ...(next !== undefined && { nextPageToken: next }),
  }),
  unsupported: {
    filtered: "it refuses a prompt with an answer that has nothing but the finish reason",
    "open-call": "arguments are an object, which can't end within",
  },
  plain: (answer) => ({
    candidates: [{ ...candidate(partsOf(answer)), finishReason: REASONS[answer.finish] }],
    usageMetadata: usageOf(answer),
  }),
  failure: (errorMessage) => frame({ error: { code: 500, message: errorMessage, status: "INTERNAL" } }),
  error: (errorMessage, status) => ({ error: { code: status, message: errorMessage, status: "UNKNOWN" } }),
});

function frame(chunk: JsonObject): string {
  return `data: ${JSON.stringify({ ...chunk, modelVersion: MODEL, responseId: "r1" })}\r\n\r\n`;
}

function frameOf(event: Answer["events"][number]): string {
  return frame({ candidates: [candidate([partOf(event)])] });
}

function end(answer: Answer, parts: readonly JsonObject[] = [{ text: "" }]): string {
  const ended = { ...candidate(parts), finishReason: REASONS[answer.finish] };
  return frame({ candidates: [ended], usageMetadata: usageOf(answer) });
}

function candidate(parts: readonly JsonObject[]): JsonObject {
  return { index: 0, content: { role: "model", parts } };
}

function partOf(event: Answer["events"][number]): JsonObject {
  if (event.type === "text") return { text: event.text };
  if (event.type === "reasoning") return { text: event.text, thought: true };
  return callOf(event);
}

function partsOf({ text, reasoning, toolCalls }: Answer): JsonObject[] {
  return [
    ...(reasoning === "" ? [] : [{ text: reasoning, thought: true }]),
    ...(text === "" ? [] : [{ text }]),
    ...toolCalls.map(callOf),
  ];
}

function callOf({ name, arguments: json = "{}" }: { name?: string; arguments?: string }): JsonObject {
  return { functionCall: { name, args: parseJson(json) as JsonObject } };
}

function usageOf({ usage: { input, output } }: Answer): JsonObject {
  return { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: input + output };
}
