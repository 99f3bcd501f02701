/**
 * Any server with OpenAI's API, by its URL or by a preset's name.
 * @module
 */
import { definePlugin } from "modelyard/plugin";
import { OpenAi } from "./openai.ts";
import { validateOptions, options } from "./options.ts";

export default definePlugin({
  apiVersion: 1,
  name: "openai",
  options,
  open(given, host) {
    validateOptions(given);
    return new OpenAi(given, host);
  },
});
