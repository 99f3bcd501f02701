/**
 * Google's Gemini API: `generateContent` and its stream, and embeddings.
 * https://ai.google.dev/api
 * @module
 */
import { definePlugin } from "modelyard/plugin";
import { Gemini } from "./gemini.ts";
import { options } from "./options.ts";

export default definePlugin({
  apiVersion: 1,
  name: "gemini",
  options,
  open: (given, host) => new Gemini(given, host),
});
