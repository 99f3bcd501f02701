import { Channel } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, ChatStream } from "modelyard/plugin";
import { eventsOf, parsed } from "./frames.ts";
import { options } from "./options.ts";
import { frameOf } from "./request.ts";

// What waits for a slow client; beyond that the answer fails, and nothing grows.
const BOUNDS = { maxItems: 1_000, maxSize: 2 ** 20, sizeOf: (text: string) => text.length };

/** An upstream that takes a socket for each answer: hello and welcome, a question, words, and an end. */
export default definePlugin({
  apiVersion: 1,
  name: "websocket-example",
  options,
  open({ url, token, models }, host) {
    async function* answer(request: ChatRequest, call: Call): ChatStream {
      const question = frameOf(request, call);
      const signal = AbortSignal.any([call.signal, host.signal]);
      signal.throwIfAborted();
      const socket = new WebSocket(url);
      let isWelcome = false;
      // However the answer is left, the socket is closed; the upstream takes that as the word to stop.
      using heard = new Channel<string>({ ...BOUNDS, signal, onCancel: () => socket.close() });
      socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token }));
      socket.onmessage = ({ data }) => void heard.push(String(data));
      socket.onclose = () => heard.fail(broken(isWelcome));
      for await (const text of heard) {
        call.alive();
        const frame = parsed(text);
        if (frame.type === "welcome") {
          isWelcome = true;
          call.connected();
          socket.send(JSON.stringify(question));
        }
        yield* eventsOf(frame);
        if (frame.type === "end") return;
      }
    }

    return {
      reportsConnection: true,
      alwaysStreams: true,
      models: async () => models.map((id) => ({ id })),
      chat: answer,
    };
  },
});

function broken(isWelcome: boolean): UpstreamError {
  if (isWelcome) return new UpstreamError("truncated", "the socket was closed within the answer");
  return new UpstreamError("unreachable", "the upstream took no socket");
}
