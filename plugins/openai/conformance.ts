import { httpFixtures } from "modelyard/conformance";
import type { Answer, AnswerEvent } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

/** Fixtures of OpenAI's API for the conformance kit. */
export default httpFixtures({
  model: "test-model",
  options: (url) => ({ base_url: `${url}/v1`, api_key: "sk-conformance-0123456789" }),
  models: { object: "list", data: [{ id: "test-model" }, { id: "other-model" }] },
  stream: (answer) => [ROLE, ...answer.events.map(frameOf), end(answer)],
  early: (answer) => {
    const [first = ROLE, ...others] = answer.events.map(frameOf);
    return [ROLE, first, finish(answer), ...others, end(answer)];
  },
  joined: (answer) => {
    const last = answer.events.slice(-1).map(deltaOf);
    return [ROLE, ...answer.events.slice(0, -1).map(frameOf), end(answer, last[0])];
  },
  givenUp: (answer) => [
    ROLE,
    ...answer.events.slice(0, 2).map(frameOf),
    `${chunk({ choices: [{ index: 0, delta: {}, finish_reason: "error" }] })}data: [DONE]\n\n`,
  ],
  plain: (answer) => ({
    id: "chatcmpl-1",
    choices: [{ index: 0, message: messageOf(answer), finish_reason: answer.finish }],
    usage: usageOf(answer),
  }),
  failure: (errorMessage) => chunk({ error: { message: errorMessage, type: "server_error" } }),
});

function chunk(members: JsonObject): string {
  return `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", ...members })}\n\n`;
}

const ROLE = chunk({ choices: [{ index: 0, delta: { role: "assistant", content: "" } }] });

function frameOf(event: AnswerEvent): string {
  return chunk({ choices: [{ index: 0, delta: deltaOf(event) }] });
}

function finish(answer: Answer, delta: JsonObject = {}): string {
  return chunk({ choices: [{ index: 0, delta, finish_reason: answer.finish }] });
}

function end(answer: Answer, last?: JsonObject): string {
  return finish(answer, last) + chunk({ choices: [], usage: usageOf(answer) }) + "data: [DONE]\n\n";
}

function deltaOf(event: AnswerEvent): JsonObject {
  if (event.type === "text") return { content: event.text };
  if (event.type === "reasoning") return { reasoning_content: event.text };
  const { index, id, name, arguments: json } = event;
  return { tool_calls: [{ index, id, type: "function", function: { name, arguments: json } }] };
}

function messageOf({ text, reasoning, toolCalls }: Answer): JsonObject {
  const calls = toolCalls.map(({ id, ...called }) => ({ id, type: "function", function: called }));
  return {
    role: "assistant",
    content: text,
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function usageOf({ usage: { input, output } }: Answer): JsonObject {
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}
