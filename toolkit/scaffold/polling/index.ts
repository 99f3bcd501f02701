import { setTimeout as sleep } from "node:timers/promises";
import { get, post, readJson } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

// What the upstream's documents ask for; fewer looks make the answer less fluent.
const PAUSE_MS = 200;

/** What a look at a job shows. */
interface Look {
  readonly state?: "running" | "done";
  /** All of the answer so far. */
  readonly text?: string;
  readonly end?: "stop" | "length" | "content_filter";
  readonly tokens?: { readonly read: number; readonly written: number };
  readonly error?: string;
}

/** An upstream where a job is posted and looked at again and again; it goes on until it is told to stop. */
export default definePlugin({
  apiVersion: 1,
  name: "new-plugin",
  options,
  open({ base_url, api_key }, host) {
    const headers = { authorization: `Bearer ${api_key}` };
    const to = (path: string) => ({ fetch: host.fetch, url: base_url + path, headers });

    /** Tells the upstream that nobody wants the job any more: not with the call's signal, which has ended. */
    async function cancel(job: string): Promise<void> {
      const { url } = to(`/jobs/${job}`);
      await host
        .fetch(url, { method: "DELETE", headers, signal: AbortSignal.timeout(5_000) })
        .catch((error: unknown) => host.log.warn("a job was not cancelled", { job, error: String(error) }));
    }

    return {
      // Every answer comes in pieces, so that the deadlines between events count for plain requests, too.
      alwaysStreams: true,
      async models(signal) {
        const list = await readJson(await get(to("/models"), signal), signal);
        return (list as { readonly models: readonly string[] }).models.map((id) => ({ id }));
      },
      async *chat(request, call) {
        const posted = await post(call, { ...to("/jobs"), body: bodyOf(request, call) });
        const { job } = (await readJson(posted, call.signal)) as { readonly job?: string };
        if (job === undefined) throw new UpstreamError("bad-response", "the upstream began no job");
        let isDone = false;
        let told = 0;
        try {
          for (;;) {
            const look = (await readJson(await get(to(`/jobs/${job}`), call.signal), call.signal)) as Look;
            const { state, text, end, tokens, error } = look;
            if (error !== undefined) throw new UpstreamError("failed", error);
            if (state === undefined || text === undefined)
              throw new UpstreamError("bad-response", "this shows no job");
            isDone = state === "done";
            if (text.length > told) yield { type: "text", text: text.slice(told) };
            told = text.length;
            if (tokens) yield { type: "usage", usage: { input: tokens.read, output: tokens.written } };
            if (isDone && end) return yield { type: "finish", reason: end };
            if (isDone) throw new UpstreamError("truncated", "the job is done and has no end");
            await sleep(PAUSE_MS, undefined, { signal: call.signal });
          }
        } finally {
          // Nobody waits for it: whoever left has left.
          if (!isDone) void cancel(job);
        }
      },
    };
  },
});
