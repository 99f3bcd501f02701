import { expect, test } from "bun:test";
import type { Exchange } from "../support/fault-upstream.ts";
import { openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { startForward } from "../support/forward-gateway.ts";
import { readFrames, textOf } from "../support/sse-frames.ts";
import { connecting } from "./clients.ts";
import { pourUntilStalled } from "./pour.ts";

/**
 * Nothing grows without a bound: a slow reader stops the reading of its upstream, and of nobody else's.
 * @module
 */
const EVENT_STREAM = { "content-type": "text/event-stream" };
const MIB = 1024 * 1024;
const streamed = (content: string) => ({ model: "m", stream: true, messages: [{ role: "user", content }] });

/** What the kernel's buffers of two connections may take, and then some. */
const MOST = 24 * MIB;

test("a client that doesn't read stops the reading of its upstream, and disturbs nobody", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  const [, chunk = ""] = openaiChunks("x".repeat(64 * 1024), { units: 64 * 1024 });
  const asked = Promise.withResolvers<Exchange>();
  upstream.respond = asked.resolve;
  const idler = connecting(gateway, streamed("I don't listen"), { reads: false });
  const exchange = await asked.promise;
  exchange.head(200, EVENT_STREAM);
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  await pourUntilStalled(exchange, chunk);
  const taken = exchange.bytesWritten;
  upstream.respond = (other) => other.send(sseAnswer(openaiChunks("Hello there!")));
  for (let nth = 0; nth < 50; nth++) {
    expect(textOf(await readFrames(await gateway.chat(streamed("I do"))))).toBe("Hello there!");
  }
  const grown = process.memoryUsage().rss - before;
  console.log(
    `an upstream got rid of ${(taken / MIB).toFixed(1)} MiB before a client that doesn't read; memory grew by ${(grown / MIB).toFixed(1)} MiB`,
  );
  expect(exchange.bytesWritten).toBeLessThan(taken + MIB);
  expect(taken).toBeLessThan(MOST);
  idler.leave();
  await exchange.closed;
}, 30_000);

test("a client that goes on reading gets all that was held back, to the byte", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  const [, chunk = ""] = openaiChunks("x".repeat(64 * 1024), { units: 64 * 1024 });
  const asked = Promise.withResolvers<Exchange>();
  upstream.respond = asked.resolve;
  const answer = gateway.chat(streamed("I take my time"));
  const exchange = await asked.promise;
  exchange.head(200, EVENT_STREAM);
  exchange.chunk(chunk);
  const response = await answer;
  const sent = 1 + (await pourUntilStalled(exchange, chunk));
  exchange.chunk(openaiChunks("").join(""));
  exchange.end();
  const frames = await readFrames(response);
  expect(textOf(frames).length).toBe(sent * 64 * 1024);
  expect(frames.data.at(-1)).toBe("[DONE]");
}, 30_000);

test("one event of 8 MiB passes to the byte, whatever it is cut into", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  const text = "a„👋🏽“\n".repeat(MIB / 2);
  const answer = sseAnswer(openaiChunks(text, { units: text.length }));
  expect(answer.byteLength).toBeGreaterThan(8 * MIB);
  upstream.respond = async (exchange) => {
    for (let at = 0; at < answer.byteLength; at += 65_521) {
      exchange.send(answer.subarray(at, at + 65_521));
      await exchange.flushed();
    }
  };
  const frames = await readFrames(await gateway.chat(streamed("at length")));
  expect(Bun.hash(textOf(frames))).toBe(Bun.hash(text));
  expect(frames.data.at(-1)).toBe("[DONE]");
}, 30_000);

test("an answer that comes byte by byte is the same answer", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  const text = "Zoë sagt: „你好“ 👋🏽👩‍🔬";
  const answer = sseAnswer(openaiChunks(text, { units: text.length }));
  upstream.respond = async (exchange) => {
    for (const byte of answer) {
      exchange.send(Uint8Array.of(byte));
      await exchange.flushed();
      // Lets the byte leave in a packet of its own.
      await new Promise(setImmediate);
    }
  };
  expect(textOf(await readFrames(await gateway.chat(streamed("slowly"))))).toBe(text);
});
