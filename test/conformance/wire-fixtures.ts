import { httpFixtures } from "modelyard/conformance";
import type { Answer } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

/** The upstream of the plugin `wire`. */
export default httpFixtures({
  model: "wire-1",
  options: (url) => ({ base_url: url, token: "wire-token-0123456789" }),
  models: { models: ["wire-1", "wire-2"] },
  stream: (answer) => [...framesOf(answer), end(answer)],
  early: (answer) => {
    const frames = framesOf(answer);
    return [...frames.slice(0, 2), frame({ done: answer.finish }), ...frames.slice(2), end(answer)];
  },
  joined: (answer) => {
    const last = answer.events.at(-1);
    return [...framesOf(answer).slice(0, -1), end(answer, last?.type === "text" ? { say: last.text } : {})];
  },
  givenUp: (answer) => [...framesOf(answer).slice(0, 2), frame({ lost: true })],
  page: (ids, next) => ({ models: [...ids], ...(next !== undefined && { next }) }),
  plain: (answer) => ({
    say: answer.text,
    think: answer.reasoning,
    calls: answer.toolCalls.map(({ id, name, arguments: json }, n) => ({ n, id, name, with: json })),
    tokens: tokensOf(answer),
    done: answer.finish,
  }),
  failure: (errorMessage) => frame({ oops: errorMessage }),
});

function framesOf({ events }: Answer): string[] {
  return events.map((event) => {
    if (event.type === "text") return frame({ say: event.text });
    if (event.type === "reasoning") return frame({ think: event.text });
    return frame({ calls: [{ n: event.index, id: event.id, name: event.name, with: event.arguments }] });
  });
}

function end(answer: Answer, last: JsonObject = {}): string {
  return frame({ ...last, done: answer.finish, tokens: tokensOf(answer), over: true });
}

function frame(said: JsonObject): string {
  return `data: ${JSON.stringify(said)}\n\n`;
}

function tokensOf({ usage }: Answer): JsonObject {
  return { in: usage.input, out: usage.output };
}
