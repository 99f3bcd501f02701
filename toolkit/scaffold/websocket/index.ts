import { Channel, get, readJson } from "modelyard/kit";
import { definePlugin, UpstreamError } from "modelyard/plugin";
import { eventsOf, parseFrame } from "./frames.ts";
import type { Sent } from "./frames.ts";
import { options } from "./options.ts";
import { bodyOf } from "./request.ts";

// A socket can't be paused: an answer fails when its reader falls behind further than this.
const BOUNDS = { maxItems: 10_000, maxSize: 8 * 1024 * 1024, sizeOf: (text: string) => text.length };

/** An upstream that answers each request on a WebSocket of its own. */
export default definePlugin({
  apiVersion: 1,
  name: "new-plugin",
  options,
  open({ base_url, api_key }, host) {
    const headers = { authorization: `Bearer ${api_key}` };
    return {
      // `call.connected()` is called below: `timeouts.connect` holds until then.
      reportsConnection: true,
      // Every answer arrives in frames, so that the timeouts between events apply to plain requests, too.
      alwaysStreams: true,
      async models(signal) {
        const list = await readJson(
          await get({ fetch: host.fetch, url: `${base_url}/models`, headers }, signal),
          signal,
        );
        return (list as { readonly models: readonly string[] }).models.map((id) => ({ id }));
      },
      async *chat(request, call) {
        const ask = bodyOf(request, call);
        call.signal.throwIfAborted();
        const socket = new WebSocket(`${base_url.replace(/^http/, "ws")}/answers`, { headers });
        const send = (sent: Sent) => socket.send(JSON.stringify(sent));
        // Closing the socket cancels the answer upstream, however it ends here.
        using heard = new Channel<string>({ ...BOUNDS, signal: call.signal, onCancel: () => socket.close() });
        let isOpen = false;
        socket.onopen = () => {
          isOpen = true;
          call.connected();
          send({ ask });
        };
        socket.onmessage = ({ data }) => void heard.push(String(data));
        socket.onclose = () => heard.fail(closed(isOpen));
        for await (const text of heard) {
          const frame = parseFrame(text);
          // A ping has no content; it shows that the upstream is working.
          call.alive();
          if (frame.ping !== undefined) send({ pong: frame.ping });
          yield* eventsOf(frame);
          if (frame.end) return;
        }
      },
    };
  },
});

function closed(isOpen: boolean): UpstreamError {
  if (isOpen) return new UpstreamError("truncated", "the socket was closed within the answer");
  return new UpstreamError("unreachable", "the upstream took no socket");
}
