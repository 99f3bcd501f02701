import { httpFixtures } from "modelyard/conformance";

/** The test upstream for the conformance kit. */
export default httpFixtures({
  model: "small",
  options: (url) => ({ base_url: url, api_key: "key-for-tests-0123456789" }),
  models: { models: ["small", "large"] },
  plain: ({ text, finish, usage }) => ({
    text,
    end: finish,
    tokens: { read: usage.input, written: usage.output },
  }),
  handled: { stream_options: "the gateway itself gives the usage chunk" },
  unsupported: {
    tools: "the upstream knows no tools",
    reasoning: "the upstream gives no reasoning",
  },
});
