import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { Socket } from "node:net";
import {
  bodyStart,
  jsonAnswer,
  openaiChunks,
  openaiCompletion,
  playTo,
  sseAnswer,
  startFaultUpstream,
} from "./fault-upstream.ts";
import type { Break, Exchange, FaultUpstream } from "./fault-upstream.ts";

const REQUEST = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";

/** What a plain TCP client sees: all bytes, and how the connection ended. */
async function talk(upstream: FaultUpstream, request = REQUEST): Promise<{ text: string; end: string }> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const received: Buffer[] = [];
  const socket: Socket = connect(upstream.port, "127.0.0.1", () => socket.write(request));
  socket.on("data", (bytes: Buffer) => received.push(bytes));
  socket.on("end", () => resolve("FIN"));
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  const end = await promise;
  socket.destroy();
  return { text: Buffer.concat(received).toString(), end };
}

/** What fetch makes of a streamed answer: its text, or the error's code. */
async function ask(upstream: FaultUpstream): Promise<string> {
  try {
    const response = await fetch(upstream.url, { method: "POST", body: "{}", keepalive: false });
    return await response.text();
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
}

test("a request comes whole, whether its body has a length or chunks", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => exchange.send(jsonAnswer({ seen: exchange.json() as string }));
  const said = { text: "é".repeat(200_000) };
  const json = JSON.stringify(said);
  const url = `${upstream.url}/v1/x?y=1`;
  const lengthy = await fetch(url, { method: "POST", body: json, headers: { "X-Test": "yes" } });
  expect(await lengthy.json()).toEqual({ seen: said });
  const pieces = [json.slice(0, 7), json.slice(7, 90_000), json.slice(90_000)];
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(piece));
    },
  });
  const chunked = await fetch(url, { method: "POST", body: stream });
  expect(await chunked.json()).toEqual({ seen: said });
  expect(upstream.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(
    Array.from({ length: 2 }, () => "POST /v1/x?y=1"),
  );
  expect(upstream.requests[0]?.headers.get("x-test")).toBe("yes");
  expect(upstream.requests[1]?.headers.get("transfer-encoding")).toBe("chunked");
  expect(upstream.requests[0]?.bytesRead).toBeGreaterThan(Buffer.byteLength(json));
});

test("a request cut anywhere, even byte by byte, is the same request", async () => {
  await using upstream = await startFaultUpstream();
  const answered = Promise.withResolvers<Exchange>();
  upstream.respond = answered.resolve;
  const socket = connect({ port: upstream.port, host: "127.0.0.1", noDelay: true });
  const head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const bytes = `${head}3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: yes\r\n\r\n`;
  for (const byte of bytes) await new Promise((resolve) => socket.write(byte, resolve));
  const exchange = await answered.promise;
  expect(Buffer.from(exchange.body).toString()).toBe("abc0123456789");
  expect(exchange.bytesRead).toBe(bytes.length);
  socket.destroy();
});

test("one connection serves request after request", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => {
    exchange.head(200, { "content-type": "text/plain" });
    exchange.chunk("one ");
    exchange.chunk("two");
    exchange.end();
  };
  for (let call = 0; call < 3; call++) expect(await (await fetch(upstream.url)).text()).toBe("one two");
  expect(upstream.connections).toBe(1);
  expect(upstream.requests).toHaveLength(3);
});

test.each(["chunked", "close", "length"] as const)(
  "an OpenAI answer framed by %s arrives",
  async (framing) => {
    await using upstream = await startFaultUpstream();
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    const frames = openaiChunks("Hello there!", { usage });
    upstream.respond = (exchange) => {
      exchange.send(sseAnswer(frames, framing));
      if (framing === "close") exchange.close();
    };
    expect(await ask(upstream)).toBe(frames.join(""));
    const chunks = frames.slice(0, -1).map((frame) => JSON.parse(frame.slice(6)) as ChatChunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("Hello there!");
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage });
    expect(frames.at(-1)).toBe("data: [DONE]\n\n");
  },
);

interface ChatChunk {
  readonly choices: readonly { delta: { content?: string }; finish_reason: string | null }[];
}

test("a plain completion is JSON with its length", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => exchange.send(jsonAnswer(openaiCompletion("é"), 201, { "x-a": "b" }));
  const response = await fetch(upstream.url);
  expect([response.status, response.headers.get("x-a")]).toEqual([201, "b"]);
  expect(await response.json()).toMatchObject({ choices: [{ message: { content: "é" } }] });
});

const ends: [Break, string][] = [
  ["reset", "ECONNRESET"],
  ["close", "FIN"],
  ["garbage", "FIN"],
];
test.each(ends)("%s is seen as such by a TCP client", async (how, end) => {
  await using upstream = await startFaultUpstream();
  const answer = sseAnswer(openaiChunks("Hello there!"));
  upstream.respond = (exchange) => playTo(exchange, answer, 100, how);
  const seen = await talk(upstream);
  expect(seen.end).toBe(end);
  // A reset may overtake what came before it.
  if (how === "close") expect(seen.text).toBe(Buffer.from(answer).toString("utf8", 0, 100));
  if (how === "garbage") expect(seen.text.length).toBeGreaterThan(100);
});

test("a FIN within a chunked body is an error for fetch, after an unframed one it is the end", async () => {
  await using upstream = await startFaultUpstream();
  for (const framing of ["chunked", "close"] as const) {
    const answer = sseAnswer(openaiChunks("Hello there!"), framing);
    const start = bodyStart(answer);
    for (const cutAt of [start + 1, start + 300, answer.byteLength - 6]) {
      upstream.respond = (exchange) => playTo(exchange, answer, cutAt, "close");
      const whole = Buffer.from(answer).toString("utf8", start, cutAt);
      expect([cutAt, await ask(upstream)]).toEqual([cutAt, framing === "close" ? whole : "ECONNRESET"]);
    }
  }
});

test("a reset within a framed body is an error for fetch, within an unframed one only for TCP", async () => {
  await using upstream = await startFaultUpstream();
  for (const framing of ["chunked", "length", "close"] as const) {
    const answer = sseAnswer(openaiChunks("Hello there!"), framing);
    upstream.respond = (exchange) => playTo(exchange, answer, answer.byteLength - 20, "reset");
    expect([framing, (await talk(upstream)).end]).toEqual([framing, "ECONNRESET"]);
    if (framing !== "close") expect([framing, await ask(upstream)]).toEqual([framing, "ECONNRESET"]);
  }
});

test("closed tells when the client leaves a stalled answer", async () => {
  await using upstream = await startFaultUpstream();
  const stalled = Promise.withResolvers<Exchange>();
  upstream.respond = async (exchange) => {
    await playTo(exchange, sseAnswer(openaiChunks("Hello there!")), 400, "stall");
    stalled.resolve(exchange);
  };
  const leave = new AbortController();
  const response = await fetch(upstream.url, { signal: leave.signal });
  const exchange = await stalled.promise;
  expect([response.status, upstream.connections]).toEqual([200, 1]);
  const left = performance.now();
  leave.abort();
  expect((await exchange.closed) - left).toBeLessThan(50);
  expect(upstream.connections).toBe(0);
});

test("closed also comes after our own FIN, when the client has followed", async () => {
  await using upstream = await startFaultUpstream();
  const closed = Promise.withResolvers<number>();
  upstream.respond = (exchange) => {
    exchange.close();
    exchange.closed.then(closed.resolve, closed.reject);
  };
  expect(await talk(upstream)).toEqual({ text: "", end: "FIN" });
  expect(await closed.promise).toBeGreaterThan(0);
});

test("a client that doesn't read holds the bytes back, and gets them all in the end", async () => {
  await using upstream = await startFaultUpstream();
  const size = 32 * 1024 * 1024;
  const begun = Promise.withResolvers<Exchange>();
  upstream.respond = async (exchange) => {
    exchange.head(200, {}, "close");
    for (let sent = 0; sent < size; sent += 1024 * 1024) exchange.chunk(new Uint8Array(1024 * 1024).fill(97));
    exchange.end();
    begun.resolve(exchange);
    await exchange.flushed();
  };
  const socket = connect(upstream.port, "127.0.0.1", () => {
    socket.pause();
    socket.write(REQUEST);
  });
  const exchange = await begun.promise;
  expect(exchange.bytesQueued).toBeGreaterThan(size / 2);
  let received = 0;
  for await (const bytes of socket) received += (bytes as Buffer).byteLength;
  expect(received).toBeGreaterThan(size);
  expect([exchange.bytesQueued, exchange.bytesWritten]).toEqual([0, received]);
});

test("what respond throws breaks the connection and comes out when the upstream is stopped", async () => {
  const upstream = await startFaultUpstream();
  upstream.respond = () => {
    throw new Error("a test's own mistake");
  };
  expect(await ask(upstream)).toBe("ECONNRESET");
  const stopped = await upstream[Symbol.asyncDispose]().then(
    () => undefined,
    (error: AggregateError) => error.errors.map(String),
  );
  expect(stopped).toEqual(["Error: a test's own mistake"]);
});
