import { httpFixtures } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

/** The test upstream for the conformance kit. */
export default httpFixtures({
  model: "small",
  options: (url) => ({ base_url: url, api_key: "key-for-tests-0123456789" }),
  models: { models: ["small", "large"] },
  stream: ({ events, finish, usage }) => [
    ...events.map((event) => piece({ text: event.type === "text" ? event.text : "" })),
    piece({ end: finish, tokens: { read: usage.input, written: usage.output } }),
  ],
  joined: ({ events, text, finish, usage }) => {
    const before = events.slice(0, -1).map((event) => (event.type === "text" ? event.text : ""));
    const last = text.slice(before.join("").length);
    const tokens = { read: usage.input, written: usage.output };
    return [...before.map((each) => piece({ text: each })), piece({ text: last, end: finish, tokens })];
  },
  failure: (errorMessage) => piece({ error: errorMessage }),
  handled: { stream_options: "the gateway itself gives the usage chunk" },
  unsupported: { tools: "the upstream knows no tools", reasoning: "the upstream gives no reasoning" },
});

function piece(data: JsonObject): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
