import { withOwnClient } from "../http-client.ts";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { streams } from "../../promises/recordings.ts";
import type { RunningGateway } from "../gateway.ts";
import { startGateway } from "../gateway.ts";
import type { FaultUpstream } from "../fault-upstream.ts";
import type { CheckedStream } from "../message-frames.ts";
import { checkStream } from "../message-frames.ts";

/** An answer that an upstream of some API streams, as its bytes on the wire. */
export interface RecordedAnswer {
  readonly name: string;
  /** The model that is asked for. */
  readonly model: string;
  readonly wire: Uint8Array;
  /** A cut before this place takes from the answer. */
  readonly complete: number;
  /** A cut from this place on takes nothing from it. */
  readonly certain: number;
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

function recorded(name: string, model: string, file: string, end: string): RecordedAnswer {
  const body = readFileSync(join(import.meta.dir, "../../../plugins", file));
  const wire = Buffer.concat([Buffer.from(HEAD), body]);
  // The line with the end mark; with its blank line it is certain.
  const complete =
    wire.subarray(wire.lastIndexOf(end)).toString("latin1").search(/\r?\n/) + wire.lastIndexOf(end);
  return { name, model, wire, complete, certain: complete + 4 };
}

/** Answers of the APIs that have no place for the frames of another: text, thoughts and calls. */
export const RECORDED_ANSWERS: readonly RecordedAnswer[] = [
  ...streams("chunked").map((each) => ({ ...each, name: `chat completions, ${each.name}`, model: "open/m" })),
  recorded("Messages, text", "claude/claude-sonnet-4-5", "anthropic/fixtures/text.sse", '"stop_reason":"'),
  recorded("Messages, calls", "claude/claude-sonnet-4-5", "anthropic/fixtures/tools.sse", '"stop_reason":"'),
  recorded("Gemini, text", "gemini/gemini-2.5-flash", "gemini/fixtures/text.sse", '"finishReason"'),
  recorded("Gemini, calls", "gemini/gemini-3-flash-preview", "gemini/fixtures/calls.sse", '"finishReason"'),
];

/** Starts a gateway that asks one server by each of these APIs, and nothing twice. */
export function startMessageGateway({ url }: FaultUpstream): Promise<RunningGateway> {
  return startGateway(
    `
upstreams:
  open: { plugin: openai, options: { base_url: "${url}/v1", models: [m] } }
  claude: { plugin: anthropic, options: { base_url: "${url}", api_key: sk-ant-test, models: [claude-sonnet-4-5] } }
  gemini: { plugin: gemini, options: { base_url: "${url}", api_key: test-0123456789, models: [gemini-2.5-flash, gemini-3-flash-preview] } }
retry: { attempts: 1 }
health: { failures: 1000000 }
`,
    // A whole answer whose end mark is cut off is not to be lost.
    { outbound: withOwnClient("brokenTail") },
  );
}

/** The place behind each event of an answer. */
export function eventEnds({ wire }: RecordedAnswer): number[] {
  const text = Buffer.from(wire).toString("latin1");
  return [...text.matchAll(/\r?\n\r?\n/g)].map(({ index, 0: end }) => index + end.length);
}

/** A stream as a client got it, or the status of the error in its place. */
export type StreamVerdict = CheckedStream | { readonly end: "status"; readonly status: number };

/** Asks for a Messages stream and checks all of it. */
export async function streamOf(gateway: RunningGateway, model: string): Promise<StreamVerdict> {
  const response = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": gateway.key, "content-type": "application/json" },
    body: JSON.stringify({
      model,
      max_tokens: 1000,
      stream: true,
      messages: [{ role: "user", content: "Hi" }],
      tools: ["find", "weather_of", "get_weather", "now"].map((name) => ({
        name,
        input_schema: { type: "object", properties: {} },
      })),
    }),
  });
  const text = await response.text();
  return response.ok ? checkStream(text) : { end: "status", status: response.status };
}

/** What is wrong with how an answer that was cut at this place came to the client. */
export function flawOf(verdict: StreamVerdict, at: number, { complete, certain }: RecordedAnswer): string {
  if (verdict.end === "status") return at >= certain ? `lost: ${verdict.status}` : "";
  if (verdict.faults.length > 0) return verdict.faults.join("; ");
  if (verdict.end === "cut") return "it has no end";
  if (verdict.end === "stop" && at < complete) return "laundered";
  const calls = verdict.blocks.filter(({ type }) => type === "tool_use");
  if (verdict.end === "error" && at >= certain) return "lost";
  return verdict.end === "stop" && calls.some(({ isClosed }) => !isClosed) ? "an open call" : "";
}
