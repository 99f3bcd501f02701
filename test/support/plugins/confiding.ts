import type { ChatEvent, Host } from "modelyard/plugin";
import { definePlugin, Secret, Type, UpstreamError } from "modelyard/plugin";

const STOP: ChatEvent = { type: "finish", reason: "stop" };

/** Says all that it knows wherever it can: in answers, in errors of both kinds, in its log, in its state. */
export default definePlugin({
  apiVersion: 1,
  name: "confiding",
  options: Type.Object(
    { token: Secret(), credential: Type.String(), answer: Type.String() },
    { additionalProperties: false },
  ),
  open({ token, credential, answer }, host) {
    host.secret(credential);
    const secrets = `token ${token}, credential ${credential}`;
    return {
      start: () => remember(host, { credential, secrets }),
      models: async () => ["says", "calls", "bug", "late-bug", "fault", "late-fault"].map((id) => ({ id })),
      async *chat({ model, messages }): AsyncGenerator<ChatEvent> {
        const asked = JSON.stringify(messages);
        host.log.debug("asked", { model, secrets });
        if (model === "bug") throw new Error(`asked ${asked} with ${secrets}`, { cause: new Error(secrets) });
        if (model === "fault") throw new UpstreamError("failed", `asked ${asked} with ${secrets}`);
        if (model === "calls") yield { type: "tool-call", index: 0, id: "1", name: "f", arguments: answer };
        else yield { type: "text", text: answer };
        if (model === "late-bug") throw new TypeError(`said ${answer} to ${asked} with ${secrets}`);
        if (model === "late-fault") throw new UpstreamError("failed", `${asked} with ${secrets}`);
        yield STOP;
      },
    };
  },
});

interface Known {
  readonly credential: string;
  readonly secrets: string;
}

async function remember(host: Host, { credential, secrets }: Known): Promise<void> {
  await host.storage.set("credential", { credential, secrets });
  host.log.warn("remembered", { secrets });
}
