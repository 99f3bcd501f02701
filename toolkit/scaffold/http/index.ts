import { get, post, readJson } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

/** The upstream's answer. */
interface Answer {
  readonly text?: string;
  readonly end?: "stop" | "length" | "content_filter";
  readonly tokens?: { readonly read: number; readonly written: number };
}

/** An upstream that takes a conversation with one POST and returns the complete answer as JSON. */
export default definePlugin({
  apiVersion: 1,
  name: "new-plugin",
  options,
  open({ base_url, api_key }, host) {
    const headers = { authorization: `Bearer ${api_key}` };
    const to = (path: string) => ({ fetch: host.fetch, url: base_url + path, headers });
    return {
      async models(signal) {
        const list = await readJson(await get(to("/models"), signal), signal);
        return (list as { readonly models: readonly string[] }).models.map((id) => ({ id }));
      },
      async *chat(request, call) {
        const response = await post(call, { ...to("/answers"), body: bodyOf(request, call) });
        const { text, end, tokens } = (await readJson(response, call.signal)) as Answer;
        if (text === undefined || !end) throw new UpstreamError("bad-response", "this is no answer");
        yield { type: "text", text };
        if (tokens) yield { type: "usage", usage: { input: tokens.read, output: tokens.written } };
        yield { type: "finish", reason: end };
      },
    };
  },
});
