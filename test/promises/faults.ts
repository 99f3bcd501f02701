import type { Exchange } from "../support/fault-upstream.ts";
import { jsonAnswer, openaiChunks, openaiCompletion, sseAnswer } from "../support/fault-upstream.ts";

/** One way in which an upstream can fail. */
export interface Fault {
  readonly name: string;
  /** Where it is asked, if not at the fault upstream. */
  readonly at?: "nowhere" | "no such host" | "plain port by TLS";
  /** What it does with a request. */
  play?(exchange: Exchange, scene: Scene): void | Promise<void>;
  /** Its `timeouts`, where they are the point. */
  readonly timeouts?: string;
}

/** What an upstream knows of the request that it fails. */
export interface Scene {
  readonly stream: boolean;
  /** 1 for the first call of this request. */
  readonly call: number;
  /** Resolves when what was sent so far has been heard: a stream's text by the client, else the headers. */
  readonly heard: () => Promise<void>;
}

/** What the faulty upstream would have said. */
export const TEXT = "Hello there!";
/** How much of it streams have said when they break. */
export const BEGUN = "Hello";

const CHUNKS = openaiChunks(TEXT);
const HALF_JSON = JSON.stringify(openaiCompletion(TEXT)).slice(0, 60);

const SHORT = "{ first_event: 150ms, idle: 150ms, total: 400ms }";

/** Sends the head and the first words of a stream, or half of a JSON body, and waits until they are heard. */
async function begin(exchange: Exchange, { stream, heard }: Scene): Promise<void> {
  exchange.head(200, { "content-type": stream ? "text/event-stream" : "application/json" });
  if (stream) for (const frame of CHUNKS.slice(0, 2)) exchange.chunk(frame);
  else exchange.chunk(HALF_JSON);
  await heard();
}

function answer(exchange: Exchange, { stream }: Scene): void {
  exchange.send(stream ? sseAnswer(CHUNKS) : jsonAnswer(openaiCompletion(TEXT)));
}

function refuse(exchange: Exchange, status: number, headers: Record<string, string> = {}): void {
  exchange.send(jsonAnswer({ error: { message: "the engine caught fire" } }, status, headers));
}

const FAILED = { error: { message: "the engine caught fire", code: "server_error" } };

/** All rows of the matrix. */
export const FAULTS = {
  refused: { name: "connection refused", at: "nowhere" },
  dns: { name: "DNS failure", at: "no such host" },
  tls: { name: "TLS failure", at: "plain port by TLS" },
  resetFirst: { name: "reset before headers", play: (exchange) => exchange.reset() },
  hangFirst: { name: "hang before headers", play: () => undefined, timeouts: SHORT },
  limited: { name: "429", play: (exchange) => refuse(exchange, 429, { "retry-after": "7" }) },
  broken: { name: "500", play: (exchange) => refuse(exchange, 500) },
  overloaded: {
    name: "503 then 200",
    play: (exchange, scene) => (scene.call === 1 ? refuse(exchange, 503) : answer(exchange, scene)),
  },
  html: {
    name: "HTML with 200",
    play(exchange) {
      exchange.head(200, { "content-type": "text/html" });
      exchange.chunk("<!doctype html><title>Welcome</title>");
      exchange.end();
    },
  },
  errorFirst: {
    name: "error object instead of an answer, with 200",
    play: (exchange, { stream }) =>
      exchange.send(stream ? sseAnswer([`data: ${JSON.stringify(FAILED)}\n\n`]) : jsonAnswer(FAILED)),
  },
  errorLater: {
    name: "error object in the stream",
    async play(exchange, scene) {
      if (!scene.stream) return exchange.send(jsonAnswer(FAILED));
      await begin(exchange, scene);
      exchange.chunk(`data: ${JSON.stringify(FAILED)}\n\n`);
      exchange.end();
    },
  },
  reset: {
    name: "reset in mid-answer",
    async play(exchange, scene) {
      await begin(exchange, scene);
      exchange.reset();
    },
  },
  close: {
    name: "close in mid-answer",
    async play(exchange, scene) {
      await begin(exchange, scene);
      exchange.close();
    },
  },
  cleanEnd: {
    name: "clean end in mid-answer",
    async play(exchange, scene) {
      await begin(exchange, scene);
      exchange.end();
    },
  },
  stall: { name: "stall in mid-answer", play: begin, timeouts: SHORT },
  malformed: {
    name: "malformed SSE or JSON",
    async play(exchange, scene) {
      if (!scene.stream) return exchange.send(Buffer.from(brokenJson()));
      await begin(exchange, scene);
      exchange.chunk('data: {"choices":[oops]}\n\n');
      exchange.end();
    },
  },
  huge: {
    name: "huge event (20 MB)",
    play(exchange, { stream }) {
      const text = "x".repeat(20_000_000);
      const frames = openaiChunks(text, { units: text.length });
      exchange.send(stream ? sseAnswer(frames) : jsonAnswer(openaiCompletion(text)));
    },
  },
} satisfies Record<string, Fault>;

function brokenJson(): string {
  const body = '{"choices":[oops]}';
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}
