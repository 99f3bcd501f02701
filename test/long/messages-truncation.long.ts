import { expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import type { Break, Exchange } from "../support/fault-upstream.ts";
import { playTo } from "../support/fault-upstream.ts";
import { TEST_KEY } from "../support/gateway.ts";
import type { MessagesGateway } from "../support/messages-gateway.ts";
import { recordedText, SERVED, startMessages, withoutPings } from "../support/messages-gateway.ts";
import { chunkOf } from "../support/openai-answer.ts";

/**
 * A Messages stream that broke off at its server is never sold as a whole one, though its frames go out as they come.
 * @module
 */

const AT_ONCE = 32;

interface Recording {
  readonly name: string;
  /** Head and body, as on the wire. */
  readonly wire: Uint8Array;
  /** What a client is sent of it. */
  readonly frames: string;
  /** A cut before this place takes from the answer: its stop_reason isn't there. */
  readonly complete: number;
  /** A cut from this place on takes nothing from it. In between both verdicts are right. */
  readonly certain: number;
}

interface Cut {
  readonly recording: Recording;
  readonly at: number;
  readonly how: Break;
}

function recordingOf(name: string, isChunked: boolean): Recording {
  const text = recordedText(name);
  const events = text.split(/(?<=\n\n)/);
  const coding = isChunked ? "transfer-encoding: chunked\r\n" : "";
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n${coding}\r\n`;
  const pieces = events.map((event) => (isChunked ? chunkOf(event) : Buffer.from(event)));
  const wire = Buffer.concat([Buffer.from(head), ...pieces, Buffer.from(isChunked ? "0\r\n\r\n" : "")]);
  const complete = wire.indexOf("}\n", wire.indexOf("event: message_delta")) + 1;
  const certain = wire.indexOf("\n\n", wire.indexOf("event: message_stop")) + 2;
  return {
    name: `${name}${isChunked ? ", chunked" : ""}`,
    wire,
    frames: withoutPings(text),
    complete,
    certain,
  };
}

/** A plain answer: only all of it is one. */
function documentOf(name: string): Recording {
  const frames = recordedText(name).trim();
  const body = Buffer.from(frames);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`;
  const wire = Buffer.concat([Buffer.from(head), body]);
  return { name, wire, frames, complete: wire.length, certain: wire.length };
}

/** What the official client says of one answer, and what it was sent. */
interface Verdict {
  readonly error: unknown;
  readonly status: number;
  readonly raw: string;
}

/** Each request plays the cut that its prompt names. */
class Stage {
  readonly #stage: MessagesGateway;
  readonly #cuts = new Map<string, Cut>();
  #shown = 0;
  played = 0;

  constructor(stage: MessagesGateway) {
    this.#stage = stage;
    stage.anthropic.respond = (exchange) => this.#play(exchange);
  }

  async show(cut: Cut): Promise<Verdict> {
    const content = `cut ${(this.#shown += 1)}`;
    this.#cuts.set(content, cut);
    const seen = { status: 0, raw: "" };
    const keep = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const response = await fetch(url, init);
      seen.status = response.status;
      seen.raw = await response.text();
      return new Response(seen.raw, { status: response.status, headers: response.headers });
    };
    const baseURL = this.#stage.gateway.url;
    const client = new Anthropic({ baseURL, apiKey: TEST_KEY, maxRetries: 0, fetch: keep });
    const asked = { model: `first/${SERVED}`, max_tokens: 9, messages: [{ role: "user" as const, content }] };
    try {
      if (cut.recording.name.endsWith(".json")) await client.messages.create(asked);
      else await client.messages.stream(asked).finalMessage();
      return { error: undefined, ...seen };
    } catch (error) {
      return { error, ...seen };
    } finally {
      this.#cuts.delete(content);
    }
  }

  async #play(exchange: Exchange): Promise<void> {
    this.played += 1;
    const { messages } = exchange.json() as { messages: [{ content: string }] };
    const cut = this.#cuts.get(messages[0].content);
    if (!cut) throw new Error(`nobody asked: ${messages[0].content}`);
    const { recording, at, how } = cut;
    exchange.send(recording.wire.subarray(0, at));
    // A reset may take along what its reader hasn't read: a whole answer must have been read.
    if (at >= recording.certain) {
      await exchange.flushed();
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    await playTo(exchange, new Uint8Array(), 0, how);
  }
}

/** What is wrong with an answer that must be finished or failed, and is the server's own up to its end. */
function flawIn({ raw, status, error }: Verdict, { recording }: Cut): string | undefined {
  if (status !== 200)
    return error instanceof Anthropic.APIError ? undefined : `status ${status} and no error`;
  const errorAt = raw.indexOf("event: error\n");
  if (!error) return raw === recording.frames ? undefined : "a whole answer that is not the server's";
  if (errorAt < 0) return "a failure without an error's frame";
  if (raw.includes("event: message_stop")) return "a failure with an end mark";
  if (!/^event: error\ndata: .*\n\n$/.test(raw.slice(errorAt))) return "something behind the error";
  return recording.frames.startsWith(raw.slice(0, errorAt)) ? undefined : "frames that are not the server's";
}

test("a stream that is cut at any byte fails for the official client, and only then", async () => {
  await using gateway = await startMessages("retry: { attempts: 1 }\nhealth: { failures: 100000 }\n");
  const stage = new Stage(gateway);
  const cuts = [
    ...everyByte(recordingOf("text.sse", true), ["reset", "close", "garbage"]),
    ...everyByte(recordingOf("text.sse", false), ["close", "garbage"]),
    ...everyByte(recordingOf("tools.sse", true), ["close"]),
    ...everyByte(documentOf("tools.json"), ["reset", "close"]),
  ];
  const laundered: string[] = [];
  const lost: string[] = [];
  const flawed: string[] = [];
  await inParallel(cuts, async (cut) => {
    const verdict = await stage.show(cut);
    const name = `${cut.recording.name}, ${cut.how} after ${cut.at} of ${cut.recording.wire.length} bytes`;
    const flaw = flawIn(verdict, cut);
    if (flaw) flawed.push(`${name}: ${flaw}`);
    if (cut.at < cut.recording.complete && !verdict.error) laundered.push(name);
    if (cut.at >= cut.recording.certain && verdict.error) lost.push(`${name}: ${verdict.raw.slice(-300)}`);
  });
  console.log(`${cuts.length} cuts of Messages: ${laundered.length} laundered, ${lost.length} lost`);
  expect({ laundered, lost, flawed }).toEqual({ laundered: [], lost: [], flawed: [] });
  expect(stage.played).toBe(cuts.length);
  expect(gateway.gateway.gateway.inFlight.running).toBe(0);
}, 240_000);

function everyByte(recording: Recording, breaks: readonly Break[]): Cut[] {
  return breaks.flatMap((how) =>
    [...recording.wire.keys()].map((at): Cut => ({ recording, at: at + 1, how })),
  );
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
