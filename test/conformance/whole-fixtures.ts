import { httpFixtures } from "modelyard/conformance";

/** The upstream of the plugin `whole`. */
export default httpFixtures({
  model: "whole-1",
  options: (url) => ({ base_url: url }),
  plain: ({ text, finish, usage }) => ({
    say: text,
    done: finish,
    tokens: { in: usage.input, out: usage.output },
  }),
  unsupported: { reasoning: "it has none", tools: "it takes the tools and calls none" },
});
