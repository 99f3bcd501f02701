/**
 * Anthropic's Messages API, behind OpenAI's chat contract.
 * @module
 */
import { definePlugin } from "modelyard/plugin";
import { Anthropic } from "./anthropic.ts";
import { options } from "./options.ts";

export default definePlugin({
  apiVersion: 1,
  name: "anthropic",
  options,
  open: (given, host) => new Anthropic(given, host),
});
