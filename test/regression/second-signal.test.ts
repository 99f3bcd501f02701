import { expect, test } from "bun:test";
import { GatewayFolder, startMain } from "../support/gateway-process.ts";
import { until } from "../support/until.ts";

/**
 * What a plugin tells its upstream at the end is told after a second signal, too, within a second.
 * @module
 */
const PLUGIN = `
import { definePlugin, Type } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1,
  name: "costly",
  options: Type.Object({ url: Type.String(), hangs: Type.Boolean({ default: false }) }, { additionalProperties: false }),
  open({ url, hangs }, host) {
    host.defer(async () => {
      await fetch(url + "/ended", { method: "POST" });
      if (hangs) await new Promise(() => {});
    });
    return {
      models: async () => [{ id: "run" }],
      async *chat(request, call) {
        yield { type: "text", text: "begun" };
        await new Promise((_, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason)));
      },
    };
  },
});
`;

test.each([false, true])(
  "clean-ups run after a second SIGTERM, and the process ends; one that hangs: %p",
  async (hangs) => {
    const told: string[] = [];
    await using upstream = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        told.push(new URL(request.url).pathname);
        return new Response();
      },
    });
    const options = { url: `http://127.0.0.1:${upstream.port}`, hangs };
    const file = {
      server: { port: 0, drain: "60s" },
      keys: [{ name: "k", key: "sk-second-0123456789" }],
      upstreams: { costly: { plugin: "./costly.ts", options } },
    };
    using folder = new GatewayFolder(JSON.stringify(file), { "costly.ts": PLUGIN });
    await using gateway = startMain(folder);
    const url = await gateway.listening();
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: "Bearer sk-second-0123456789" },
      body: JSON.stringify({ model: "run", stream: true, messages: [{ role: "user", content: "Hi" }] }),
    });
    gateway.signal("SIGTERM");
    await until(async () => (await fetch(`${url}/health/ready`)).status === 503, "the draining to begin");
    expect(told).toEqual([]);
    gateway.signal("SIGTERM");
    const text = await answer.text();
    const { code } = await gateway.ended(10_000);
    expect(text).toContain("shutting_down");
    expect(told).toEqual(["/ended"]);
    expect(code).toBe(1);
  },
  30_000,
);
