import { httpFixtures } from "modelyard/conformance";
import type { AnswerEvent } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

/** The upstream as the conformance kit plays it. */
export default httpFixtures({
  model: "small",
  options: (url) => ({ base_url: url, api_key: "key-for-tests-0123456789" }),
  models: [{ name: "small", window: 32_000 }],
  stream: ({ events, finish, usage }) => [
    frame("ping", {}),
    ...events.map(frameOf),
    frame("end", { reason: finish, tokens: { read: usage.input, written: usage.output } }),
  ],
  failure: (message) => frame("error", { message }),
  handled: { stream_options: "the gateway itself gives the usage chunk" },
});

function frameOf(event: AnswerEvent): string {
  if (event.type === "text") return frame("text", { text: event.text });
  if (event.type === "reasoning") return frame("thought", { text: event.text });
  const { index, id, name, arguments: json } = event;
  return frame("call", { number: index, id, name, json });
}

function frame(event: string, data: JsonObject): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
