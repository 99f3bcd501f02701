import { definePlugin, UpstreamError } from "modelyard/plugin";
import { ask } from "./connection.ts";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

/** The upstream's error codes. Any other one means `failed`. */
const CODES = { improper: "content-filter", "too-large": "too-large" } as const;

/** An upstream that streams its answers over Socket.IO. */
export default definePlugin({
  apiVersion: 1,
  name: "new-plugin",
  options,
  open(upstream) {
    return {
      reportsConnection: true,
      async models(signal) {
        for await (const { models } of ask(upstream, { event: "models" }, { signal })) {
          if (models) return models.map((id) => ({ id }));
        }
        throw new UpstreamError("bad-response", "the upstream gave no list of models");
      },
      async *chat(request, call) {
        const question = { event: "ask", body: bodyOf(request, call) };
        for await (const { text, error, code, end, tokens } of ask(upstream, question, call)) {
          if (error !== undefined) throw new UpstreamError(code ? CODES[code] : "failed", error);
          if (text) yield { type: "text", text };
          if (tokens) yield { type: "usage", usage: { input: tokens.read, output: tokens.written } };
          if (end) return yield { type: "finish", reason: end };
        }
      },
    };
  },
});
