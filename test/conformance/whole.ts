/**
 * A good plugin for a made-up upstream that gives each answer whole, as one JSON document. Faults are seeded into its
 * text, so its lines are as the mutants name them.
 * @module
 */
import { post, readJson } from "modelyard/kit";
import { definePlugin, Type, UpstreamError } from "modelyard/plugin";
import type { FinishReason } from "modelyard/plugin";

interface Said {
  readonly say?: string;
  readonly done?: FinishReason;
  readonly tokens?: { readonly in: number; readonly out: number };
}

const options = Type.Object(
  { base_url: Type.String({ description: "Where it is, without a slash at the end." }) },
  { additionalProperties: false },
);

export default definePlugin({
  apiVersion: 1,
  name: "whole",
  options,
  open({ base_url }, host) {
    const to = { fetch: host.fetch, url: `${base_url}/chat` };
    return {
      models: async () => [{ id: "whole-1" }],
      async *chat(request, call) {
        const response = await post(call, { ...to, body: request });
        const { say, done, tokens } = (await readJson(response, call.signal)) as Said;
        if (say === undefined || !done) throw new UpstreamError("bad-response", "this is no answer");
        yield { type: "text", text: say };
        if (tokens) yield { type: "usage", usage: { input: tokens.in, output: tokens.out } };
        yield { type: "finish", reason: done };
      },
    };
  },
});
