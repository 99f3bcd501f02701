/**
 * The prompt runner of langfa.st: results are pushed over Socket.IO, credentials are anonymous users.
 * @module
 */
import { definePlugin } from "modelyard/plugin";
import { Langfast } from "./langfast.ts";
import { validateOptions, options } from "./options.ts";

export default definePlugin({
  apiVersion: 1,
  name: "langfast",
  options,
  open(given, host) {
    validateOptions(given);
    return new Langfast(given, host);
  },
});
