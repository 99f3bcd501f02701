import { httpFixtures } from "modelyard/conformance";
import type { Answer } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

const SPEAKS_ONLY = "it only speaks";

/** The upstream of the plugin `spoken`. */
export default httpFixtures({
  model: "spoken-1",
  options: (url) => ({ base_url: url, token: "spoken-token-0123456789" }),
  unsupported: { reasoning: SPEAKS_ONLY, tools: SPEAKS_ONLY },
  native: {
    dialect: "anthropic-messages",
    request: { say: "something", novel: { kept: [1] } },
    count: { path: "/count", body: (tokens) => ({ tokens }) },
  },
  stream: (answer) => [
    frame("begin", {}),
    frame("ping", {}),
    ...answer.events.map((event) => frame("word", { say: event.type === "text" ? event.text : "" })),
    frame("end", { done: answer.finish, tokens: tokensOf(answer) }),
  ],
  plain: (answer) => ({ say: answer.text, tokens: tokensOf(answer), done: answer.finish }),
  failure: (errorMessage) => frame("error", { oops: errorMessage }),
});

function frame(event: string, said: JsonObject): string {
  return `event: ${event}\ndata: ${JSON.stringify(said)}\n\n`;
}

function tokensOf({ usage }: Answer): JsonObject {
  return { in: usage.input, out: usage.output };
}
