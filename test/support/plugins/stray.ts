import { EventEmitter } from "node:events";
import type { ChatEvent } from "modelyard/plugin";
import { definePlugin, Type } from "modelyard/plugin";

/** What can go wrong with nobody there to catch it, by the name of the model that is asked for it. */
const STRAYS: Readonly<Record<string, () => void>> = {
  "forgets-a-promise": () => void Promise.reject(new Error("from a promise")),
  "throws-in-a-timer": () =>
    void setTimeout(() => {
      throw new Error("from a timer");
    }),
  "tells-of-an-error": () =>
    void setTimeout(() => new EventEmitter().emit("error", new Error("from an event"))),
  "throws-what-cannot-be-shown": () => {
    throw Object.create(null) as Error;
  },
};

/** A plugin whose errors come where nobody catches them. */
export default definePlugin({
  apiVersion: 1,
  name: "stray",
  options: Type.Object({}, { additionalProperties: false }),
  open: () => ({
    models: async () => [{ id: "well" }, ...Object.keys(STRAYS).map((id) => ({ id }))],
    async *chat({ model }, call): AsyncGenerator<ChatEvent> {
      yield { type: "text", text: "Hel" };
      STRAYS[model]?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
      call.signal.throwIfAborted();
      yield { type: "text", text: "lo" };
      yield { type: "finish", reason: "stop" };
    },
  }),
});
