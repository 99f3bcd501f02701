import { ApiKeys } from "modelyard/credentials";
import { get, post, readJson } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import type { FinishReason } from "modelyard/plugin";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

/** What the upstream says. */
interface Reply {
  readonly reply?: string;
  readonly ended?: string;
  readonly tokens?: { readonly read: number; readonly written: number };
}

/** Its reasons for an end, in OpenAI's words. */
const FINISHES = new Map<string | undefined, FinishReason>([
  ["complete", "stop"],
  ["max_length", "length"],
  ["filtered", "content_filter"],
]);

/** An upstream with one POST for each answer, which comes whole; with names of its own, and several API keys. */
export default definePlugin({
  apiVersion: 1,
  name: "http-example",
  options,
  open({ base_url, api_keys, persona }, host) {
    const keys = new ApiKeys(api_keys, host);
    const to = (path: string, key = "") => ({
      fetch: host.fetch,
      url: base_url + path,
      headers: { "x-api-key": key },
    });
    return {
      start: () => keys.start(),
      status: () => keys.status(),
      async models(signal) {
        const ask = async (key?: string) => readJson(await get(to("/models", key), signal), signal);
        const list = await keys.askWithAny(ask, signal);
        return (list as { readonly models: readonly string[] }).models.map((id) => ({ id }));
      },
      async *chat(request, call) {
        const body = bodyOf(request, persona, call);
        const response = await keys.lend(call, (key) => post(call, { ...to("/replies", key), body }));
        const { reply, ended, tokens } = (await readJson(response, call.signal)) as Reply;
        const reason = FINISHES.get(ended);
        if (reply === undefined || !reason) throw new UpstreamError("bad-response", "this is no reply");
        yield { type: "text", text: reply };
        if (tokens) yield { type: "usage", usage: { input: tokens.read, output: tokens.written } };
        yield { type: "finish", reason };
      },
    };
  },
});
