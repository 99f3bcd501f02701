import { definePlugin, Type } from "modelyard/plugin";

/** An upstream whose list of models can be had only once it was started, as where a pool must sign in first. */
export default definePlugin({
  apiVersion: 1,
  name: "late-list",
  options: Type.Object({}, { additionalProperties: false }),
  open() {
    const started = Promise.withResolvers<void>();
    return {
      start: () => started.resolve(),
      async models(signal) {
        const aborted = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
        await Promise.race([started.promise, aborted.promise]);
        return [{ id: "late-1" }];
      },
      async *chat({ model }) {
        yield { type: "text", text: `I am ${model}` };
        yield { type: "finish", reason: "stop" };
      },
    };
  },
});
