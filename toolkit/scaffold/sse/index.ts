import { get, post, readJson, sse } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

/** The data of one event. Only the last one has `end`. */
interface Piece {
  readonly text?: string;
  readonly error?: string;
  readonly end?: "stop" | "length" | "content_filter";
  readonly tokens?: { readonly read: number; readonly written: number };
}

/** An upstream that takes a conversation with one POST and streams the answer as server-sent events. */
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
        // An answer without `end` has no finish event, so the gateway reports it as truncated.
        for await (const { data } of sse(response.body)) {
          const { text, error, end, tokens } = pieceOf(data);
          if (error !== undefined) throw new UpstreamError("failed", error);
          if (text) yield { type: "text", text };
          if (tokens) yield { type: "usage", usage: { input: tokens.read, output: tokens.written } };
          if (end) return yield { type: "finish", reason: end };
        }
      },
    };
  },
});

function pieceOf(data: string): Piece {
  try {
    return JSON.parse(data) as Piece;
  } catch (cause) {
    throw new UpstreamError("bad-response", "an event of the upstream is no JSON", { cause });
  }
}
