import type { Authority } from "./certificates.ts";
import type { RunningGateway } from "./gateway.ts";
import { startGateway } from "./gateway.ts";
import { whole, WireServer } from "./wire-server.ts";

/**
 * A gateway in front of one server whose HTTP is written by hand, by each plugin that speaks HTTP, over TCP and TLS, with
 * the gateway's own HTTP client and with Bun's `fetch`.
 * @module
 */
export interface Way {
  readonly scheme: "http" | "https";
  /** By which the gateway sends. */
  readonly client: "own" | "fetch";
}

export const WAYS: readonly Way[] = [
  { scheme: "http", client: "own" },
  { scheme: "https", client: "own" },
  { scheme: "http", client: "fetch" },
  { scheme: "https", client: "fetch" },
];

/** For `describe.each`. */
export const NAMED_WAYS: readonly (readonly [string, Way])[] = WAYS.map((way) => [
  `${way.scheme}, ${way.client}`,
  way,
]);

/** How one plugin's upstream is set up and answers. */
export interface WireFormat {
  readonly plugin: string;
  /** In the address of its requests. */
  readonly path: string;
  readonly options: (origin: string) => object;
  readonly plain: string;
  readonly streamed: string;
}

const sse = (events: readonly object[]) =>
  events
    .map(
      (event) => `event: ${"type" in event ? String(event.type) : "x"}\ndata: ${JSON.stringify(event)}\n\n`,
    )
    .join("");
const openaiChunk = (delta: object, finish_reason: string | null) => ({
  id: "c",
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason }],
});

export const WIRE_FORMATS: readonly WireFormat[] = [
  {
    plugin: "openai",
    path: "/chat/completions",
    options: (origin) => ({ base_url: `${origin}/v1`, models: ["m"] }),
    plain: JSON.stringify({
      id: "c",
      object: "chat.completion",
      choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
    }),
    streamed: `${sse([openaiChunk({ content: "Hello" }, null), openaiChunk({}, "stop")])}data: [DONE]\n\n`,
  },
  {
    plugin: "anthropic",
    path: "/messages",
    options: (origin) => ({ base_url: origin, api_key: "k-0123456789", models: ["m"] }),
    plain: JSON.stringify({
      type: "message",
      id: "c",
      role: "assistant",
      content: [{ type: "text", text: "Hello" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 1, output_tokens: 1 },
    }),
    streamed: sse([
      { type: "message_start", message: { id: "c", role: "assistant", usage: { input_tokens: 1 } } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1 } },
      { type: "message_stop" },
    ]),
  },
  {
    plugin: "gemini",
    path: "enerateContent",
    options: (origin) => ({ base_url: origin, api_key: "k-0123456789", models: ["m"] }),
    plain: JSON.stringify({
      candidates: [{ content: { parts: [{ text: "Hello" }] }, finishReason: "STOP" }],
    }),
    streamed: sse([{ candidates: [{ content: { parts: [{ text: "Hello" }] }, finishReason: "STOP" }] }]),
  },
];

/** Whether a request asks for a stream. */
function isStreamed(request: string): boolean {
  return /"stream":\s*true|alt=sse/.test(request);
}

/** A good answer to a request, in its dialect, as bytes on the wire. */
export function answer(request: string): string {
  const dialect = WIRE_FORMATS.find(({ path }) => request.slice(0, request.indexOf("\r\n")).includes(path));
  if (!dialect) throw new Error(`a request of no plugin's: ${request}`);
  const { plain, streamed } = dialect;
  return isStreamed(request)
    ? whole(streamed, "content-type: text/event-stream\r\n")
    : whole(plain, "content-type: application/json\r\n");
}

export interface WireUpstreams extends AsyncDisposable {
  readonly server: WireServer;
  readonly gateway: RunningGateway;
  /** "answered" with a good answer of the dialect, else the status and the body. */
  ask(plugin: string, stream: boolean, signal?: AbortSignal): Promise<string>;
}

export interface WireUpstreamsOptions {
  /** Who has signed the server's certificate. */
  readonly authority: Authority;
  /** Of each upstream, as in gateway.yaml. */
  readonly timeouts?: string;
  /** Further lines of gateway.yaml. */
  readonly yaml?: string;
}

/** A gateway whose upstreams have their plugins' names, and one server behind them, which answers well until told otherwise. */
export async function startWireUpstreams(way: Way, options: WireUpstreamsOptions): Promise<WireUpstreams> {
  const { authority, timeouts = "{}", yaml = "retry: { attempts: 1 }\n" } = options;
  const server = new WireServer(way.scheme === "https" ? authority.issue() : undefined);
  server.respond = (request, socket) => void socket.write(answer(request));
  const upstreams = WIRE_FORMATS.map(({ plugin, options: of }) => {
    const set = JSON.stringify(of(server.origin));
    return `  ${plugin}: { plugin: ${plugin}, options: ${set}, timeouts: ${timeouts} }\n`;
  });
  const gateway = await startGateway(`${yaml}upstreams:\n${upstreams.join("")}`, {
    outbound: { ownClient: way.client === "own", authorities: authority.certificate },
  });
  return {
    server,
    gateway,
    async ask(plugin, stream, signal) {
      const body = { model: `${plugin}/m`, stream, messages: [{ role: "user", content: "Well?" }] };
      const response = await gateway.chat(body, signal ? { signal } : {});
      const text = await response.text();
      return response.status === 200 && /Hello/.test(text) ? "answered" : `${response.status} ${text}`;
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      server.stop();
    },
  };
}
