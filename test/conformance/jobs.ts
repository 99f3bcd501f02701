/**
 * A good plugin for a made-up upstream of jobs: one request gives a ticket, another one waits for the answer. Faults are
 * seeded into its text, so its lines are as the mutants name them.
 * @module
 */
import { get, post, readJson } from "modelyard/kit";
import { definePlugin, Type } from "modelyard/plugin";

const options = Type.Object(
  { base_url: Type.String({ description: "Where it is, without a slash at the end." }) },
  { additionalProperties: false },
);

export default definePlugin({
  apiVersion: 1,
  name: "jobs",
  options,
  open({ base_url }, host) {
    const to = (path: string) => ({ fetch: host.fetch, url: base_url + path });
    return {
      async models(signal) {
        const ids = (await readJson(await get(to("/models"), signal), signal)) as string[];
        return ids.map((id) => ({ id }));
      },
      async *chat({ temperature, top_p, ...rest }, call) {
        const heat = typeof temperature === "number" ? Math.round(temperature * 50) : undefined;
        const body = { ...rest, heat, top: typeof top_p === "number" ? top_p * 100 : undefined };
        const job = await post(call, { ...to("/jobs"), body });
        const { ticket } = (await readJson(job, call.signal)) as { ticket: string };
        const waiting = await get(to(`/wait?ticket=${ticket}`), call.signal);
        const { say } = (await readJson(waiting, call.signal)) as { say: string };
        yield { type: "text", text: say };
        yield { type: "finish", reason: "stop" };
      },
    };
  },
});
