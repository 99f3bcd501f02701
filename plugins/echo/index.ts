import { UpstreamError, definePlugin } from "modelyard/plugin";
import type { Call, ChatRequest, ChatStream, Upstream } from "modelyard/plugin";
import { echo } from "./echo.ts";
import { options } from "./options.ts";
import type { Options } from "./options.ts";
import { reportIgnored } from "./parameters.ts";
import { play, ruleFor } from "./script.ts";

/** Repeats the last user message, or answers by a script. Needs no network. */
export default definePlugin({
  apiVersion: 1,
  name: "echo",
  options,
  open: (opened) => upstreamOf(opened),
});

function upstreamOf({ models, script }: Options): Upstream {
  return {
    alwaysStreams: true,
    models: async () => models.map((id) => ({ id, ownedBy: "echo" })),
    chat(request: ChatRequest, call: Call): ChatStream {
      if (!models.includes(request.model)) {
        throw new UpstreamError("no-such-model", `there is no model "${request.model}" here`);
      }
      call.connected();
      const rule = ruleFor(script, request);
      if (rule) return play(rule, request, call);
      reportIgnored(request, call);
      return echo(request, call);
    },
  };
}
