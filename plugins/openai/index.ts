/**
 * Any server that speaks OpenAI's API, by its address or by its name.
 * @module
 */
import { definePlugin } from "modelyard/plugin";
import { OpenAi } from "./openai.ts";
import { checkOptions, options } from "./options.ts";

export default definePlugin({
  apiVersion: 1,
  name: "openai",
  options,
  open(given, host) {
    checkOptions(given);
    return new OpenAi(given, host);
  },
});
