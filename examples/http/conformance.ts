import { httpFixtures } from "modelyard/conformance";

const ENDED = { stop: "complete", length: "max_length", content_filter: "filtered", tool_calls: "complete" };

/** The upstream as the conformance kit plays it. */
export default httpFixtures({
  model: "small",
  options: (url) => ({ base_url: url, api_keys: [{ key: "key-for-tests-0123456789" }] }),
  models: { models: ["small", "large"] },
  plain: ({ text, finish, usage }) => ({
    reply: text,
    ended: ENDED[finish],
    tokens: { read: usage.input, written: usage.output },
  }),
  handled: { stream_options: "the gateway itself gives the usage chunk" },
  unsupported: {
    tools: "the upstream calls no tools",
    reasoning: "the upstream gives no reasoning",
    stall: "an answer comes whole",
    endless: "an answer comes whole",
  },
});
