import { setTimeout as sleep } from "node:timers/promises";
import { get, post, readJson } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

// The interval that the upstream recommends. A longer one makes the answer less fluent.
const PAUSE_MS = 200;

/** The state of a job, as polling returns it. */
interface Look {
  readonly state?: "running" | "done";
  /** The answer so far. */
  readonly text?: string;
  readonly end?: "stop" | "length" | "content_filter";
  readonly tokens?: { readonly read: number; readonly written: number };
  readonly error?: string;
}

/** An upstream with jobs that are posted, polled, and run until they are cancelled. */
export default definePlugin({
  apiVersion: 1,
  name: "new-plugin",
  options,
  open({ base_url, api_key }, host) {
    const headers = { authorization: `Bearer ${api_key}` };
    const to = (path: string) => ({ fetch: host.fetch, url: base_url + path, headers });

    /** Cancels a job, without the call's signal, which is already aborted. */
    async function cancel(job: string): Promise<void> {
      const { url } = to(`/jobs/${job}`);
      await host
        .fetch(url, { method: "DELETE", headers, signal: AbortSignal.timeout(5_000) })
        .catch((error: unknown) => host.log.warn("a job was not cancelled", { job, error: String(error) }));
    }

    return {
      // Every answer arrives in pieces, so that the timeouts between events apply to plain requests, too.
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
          // Not awaited: the client has disconnected.
          if (!isDone) void cancel(job);
        }
      },
    };
  },
});
