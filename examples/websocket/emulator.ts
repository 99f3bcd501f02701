/**
 * A stand-in for the upstream, to try the plugin with: `bun examples/websocket/emulator.ts`. It repeats what it is
 * told; the fixtures have it play what the conformance kit asks for.
 * @module
 */
import type { ServerWebSocket } from "bun";

export type Socket = ServerWebSocket<undefined>;

/** A question, as the plugin sends it. */
export interface Question {
  readonly messages: readonly { readonly content: string }[];
}

/** Starts it on 127.0.0.1, with port 0 on a free one. `onFrame` is told what comes, and `answer` gives the answer. */
export function startEmulator(
  port: number,
  answer: (socket: Socket, question: Question) => void = repeat,
  onFrame: (text: string) => void = () => {},
) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("sockets only")),
    websocket: {
      message(socket: Socket, data) {
        onFrame(String(data));
        const frame = JSON.parse(String(data)) as Question & {
          readonly type: string;
          readonly token?: string;
        };
        if (frame.type === "ask") return answer(socket, frame);
        if (frame.token === "token-of-the-emulator") return void say(socket, { type: "welcome" });
        say(socket, { type: "error", code: "bad_token", message: "this token is unknown here" });
      },
    },
  });
}

/** Sends a frame; gives its bytes, or 0 when nobody takes them any more. */
export function say(socket: Socket, frame: object): number {
  const text = JSON.stringify(frame);
  // A frame that has to wait for its turn gives -1, and is sent all the same.
  return socket.send(text) === 0 ? 0 : Buffer.byteLength(text);
}

function repeat(socket: Socket, { messages }: Question): void {
  const words = `You said: ${messages.at(-1)?.content}`.split(/(?= )/);
  for (const text of words) say(socket, { type: "word", text });
  say(socket, { type: "end", reason: "stop", tokens: { read: 5, written: 7 } });
}

if (import.meta.main) {
  const { port } = startEmulator(Number(Bun.argv[2] ?? 9000));
  console.log(`the emulator listens on ws://127.0.0.1:${port}`);
}
