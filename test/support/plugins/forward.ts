import { openaiStream, post } from "modelyard/kit";
import { definePlugin, Type } from "modelyard/plugin";

/** Forwards each request as it is to an OpenAI-compatible server: the smallest plugin that speaks HTTP. */
export default definePlugin({
  apiVersion: 1,
  name: "forward",
  options: Type.Object(
    { url: Type.String({ description: "where `/chat/completions` stands" }) },
    { additionalProperties: false },
  ),
  open({ url }, host) {
    let calls = 0;
    let heads = 0;
    return {
      models: async () => [{ id: "m" }],
      async chat(request, call) {
        calls++;
        const response = await post(call, {
          fetch: host.fetch,
          url: `${url}/chat/completions`,
          body: request,
        });
        heads++;
        return openaiStream(response, { choices: request.n ?? 1, call });
      },
      /** How often it was called, and how often an answer's headers came. */
      status: () => ({ calls, heads }),
    };
  },
});
