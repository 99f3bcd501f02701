import { credentialPool } from "modelyard/credentials";
import { Channel } from "modelyard/kit";
import { definePlugin, Type } from "modelyard/plugin";
import type { Call, ChatRequest, ChatStream } from "modelyard/plugin";

/** Has one credential, which carries one answer at a time. An answer to the model `held` ends when its client leaves. */
export default definePlugin({
  apiVersion: 1,
  name: "pooled",
  options: Type.Object(
    { stuck: Type.Boolean({ default: false, description: "signing up never ends" }) },
    { additionalProperties: false },
  ),
  open({ stuck }, host) {
    const source = {
      identify: (user: string) => user,
      secrets: () => [],
      create: (): Promise<string> =>
        stuck ? new Promise<never>(() => undefined) : Promise.resolve("user-1"),
    };
    const pool = credentialPool(source, { min: 1, max: 1, leases: 1 }, host);

    async function* chat(request: ChatRequest, call: Call): ChatStream {
      using _lease = await pool.lease(call);
      yield { type: "text", text: "served" };
      using end = new Channel<never>({ maxItems: 1, signal: call.signal });
      if (request.model === "held") for await (const _ of end);
      yield { type: "finish", reason: "stop" };
    }

    return {
      start: () => pool.start(),
      models: async () => [{ id: "held" }, { id: "quick" }],
      status: () => pool.status(),
      chat,
    };
  },
});
