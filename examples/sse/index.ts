import { get, post, readJson } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import type { Model } from "modelyard/plugin";
import { eventsOf } from "./events.ts";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

/** A model in the upstream's list. */
interface Listed {
  readonly name: string;
  readonly window: number;
}

/** An upstream that streams every answer as named server-sent events, with reasoning and tool calls. */
export default definePlugin({
  apiVersion: 1,
  name: "sse-example",
  options,
  open({ base_url, api_key, thoughts }, host) {
    const headers = { authorization: `Bearer ${api_key}` };
    const to = (path: string) => ({ fetch: host.fetch, url: base_url + path, headers });
    return {
      async models(signal): Promise<readonly Model[]> {
        const list = (await readJson(
          await get(to("/models"), signal),
          signal,
        )) as unknown as readonly Listed[];
        return list.map(({ name, window }) => ({ id: name, capabilities: { tools: true, context: window } }));
      },
      async chat(request, call) {
        const response = await post(call, { ...to("/chat"), body: bodyOf(request, thoughts, call) });
        if (!response.body) throw new UpstreamError("bad-response", "the answer has no body");
        return eventsOf(response.body);
      },
    };
  },
});
