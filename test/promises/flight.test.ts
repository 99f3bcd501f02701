import { afterEach, describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/errors/gateway-error.ts";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { openaiChunks, startFaultUpstream } from "../support/fault-upstream.ts";
import { forwardTo, tries } from "../support/forward-gateway.ts";
import { closedGate } from "../support/gate.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { Random } from "../support/random.ts";
import type { ScriptedGateway } from "../support/scripted-gateway.ts";
import { say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { parseFrames, readFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";
import { Listener } from "./listener.ts";
import { pourUntilStalled } from "./pour.ts";

/**
 * Who asks the same at the same time shares one call to the upstream: all get all of it, each at their own pace,
 * and nobody is disturbed by what the others do.
 * @module
 */
const KIB = 1024;
const MIB = 1024 * KIB;
const BOB = "sk-bob-0123456789";
const EVENT_STREAM = { "content-type": "text/event-stream" };
const QUESTION = { model: "m", messages: [{ role: "user", content: "Hello?" }] };
const STREAMED = { ...QUESTION, stream: true };

const listeners: Listener[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.leave();
});

function listening(gateway: RunningGateway, options?: { readonly slow: boolean }): Listener {
  const listener = new Listener(gateway, STREAMED, options);
  listeners.push(listener);
  return listener;
}

/** A gateway that keeps and shares answers of `upstream`, and the one call that is made to it. */
async function startShared(upstream: FaultUpstream, cache: string) {
  const asked = Promise.withResolvers<Exchange>();
  upstream.respond = asked.resolve;
  const file = `${tries(1)}cache: { mode: all, ${cache} }\nupstreams:\n${forwardTo("forward", upstream.url)}`;
  return { gateway: await startGateway(file), asked: asked.promise };
}

/** Resolves when so many requests are being answered. */
function running(gateway: RunningGateway, count: number): Promise<void> {
  return until(() => gateway.gateway.inFlight.running === count, `${count} requests that are answered`);
}

/** The frames of an answer of so many pieces of this many bytes, without its end. */
function framesOf(count: number, size: number): string[] {
  const text = Array.from({ length: count }, (_, nth) => String.fromCharCode(97 + (nth % 26)).repeat(size));
  return openaiChunks(text.join(""), { units: size });
}

test("200 clients who come and go as they please, and one who reads a byte a second, share one call", async () => {
  await using upstream = await startFaultUpstream();
  const { gateway, asked } = await startShared(upstream, "max_entry: 8MiB");
  await using _ = gateway;
  const random = new Random(20_261_124);
  const frames = framesOf(200, 4 * KIB);
  const slow = listening(gateway, { slow: true });
  const exchange = await asked;
  exchange.head(200, EVENT_STREAM);
  const staying: Listener[] = [];
  let joined = 0;
  let kept = 0;
  for (const frame of frames) {
    exchange.chunk(frame);
    for (; joined < 200 && random.chance(0.55); joined++) staying.push(listening(gateway));
    if (random.chance(0.4)) staying.splice(random.between(0, staying.length - 1), 1)[0]?.leave();
    // Before the end, so that nobody comes when it is over.
    if (frame === frames.at(-2)) await running(gateway, staying.length + 1);
    await exchange.flushed();
    await new Promise(setImmediate);
    kept = Math.max(kept, gateway.gateway.cache?.coalescer.size ?? 0);
  }
  exchange.end();
  await Promise.all(staying.map(({ finished }) => finished));
  expect(joined).toBe(200);
  expect(staying.length).toBeGreaterThan(50);
  expect(slow.bytes).toBeLessThan(1_000);
  slow.hurry();
  await slow.finished;
  const whole = frames.join("");
  for (const listener of [...staying, slow]) {
    expect(textOf(parseFrames(listener.body()))).toBe(textOf(parseFrames(whole)));
  }
  expect(new Set(staying.map((listener) => Bun.hash(listener.body()))).size).toBe(1);
  expect(upstream.requests.length).toBe(1);
  // The answer once, however many read it.
  expect(kept).toBeGreaterThan(100 * 4 * KIB);
  expect(kept).toBeLessThan(220 * 4 * KIB);
  expect(gateway.gateway.cache?.coalescer.size).toBe(0);
}, 60_000);

describe("one who reads a byte a second", () => {
  test("gets all of an answer that may be kept, and holds up nobody", async () => {
    await using upstream = await startFaultUpstream();
    const { gateway, asked } = await startShared(upstream, "max_entry: 32MiB");
    await using _ = gateway;
    const [slow, ...fast] = [listening(gateway, { slow: true }), listening(gateway), listening(gateway)];
    const exchange = await asked;
    await running(gateway, 3);
    exchange.head(200, EVENT_STREAM);
    const frames = framesOf(192, 64 * KIB);
    for (const frame of frames) exchange.chunk(frame);
    exchange.end();
    await Promise.all(fast.map(({ finished }) => finished));
    expect(slow?.bytes).toBeLessThan(1_000);
    expect(gateway.gateway.cache?.coalescer.size).toBeGreaterThan(11 * MIB);
    slow?.hurry();
    await slow?.finished;
    const hashes = [slow, ...fast].map((listener) => Bun.hash(listener?.body() ?? ""));
    expect(new Set(hashes).size).toBe(1);
    expect(textOf(parseFrames(slow?.body() ?? "")).length).toBe(192 * 64 * KIB);
    expect(gateway.gateway.cache?.coalescer.size).toBe(0);
  }, 60_000);

  test("of a larger one is told that it is too slow, costs bounded memory, and holds up nobody", async () => {
    await using upstream = await startFaultUpstream();
    const { gateway, asked } = await startShared(upstream, "max_entry: 256KiB");
    await using _ = gateway;
    const [slow, fast] = [listening(gateway, { slow: true }), listening(gateway)];
    const exchange = await asked;
    await running(gateway, 2);
    exchange.head(200, EVENT_STREAM);
    for (const frame of framesOf(384, 64 * KIB)) {
      exchange.chunk(frame);
      await exchange.flushed();
    }
    exchange.end();
    await fast.finished;
    expect(textOf(parseFrames(fast.body())).length).toBe(24 * MIB);
    slow.hurry();
    await slow.finished;
    const { data } = parseFrames(slow.body());
    expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code: "overloaded" } });
    expect(slow.body()).not.toContain('"finish_reason":"stop"');
    expect(slow.bytes).toBeLessThan(16 * MIB);
  }, 60_000);

  test("and nobody else, holds back the upstream", async () => {
    await using upstream = await startFaultUpstream();
    const { gateway, asked } = await startShared(upstream, "max_size: 256MiB, max_entry: 256MiB");
    await using _ = gateway;
    listening(gateway, { slow: true });
    listening(gateway, { slow: true });
    const exchange = await asked;
    await running(gateway, 2);
    exchange.head(200, EVENT_STREAM);
    const [, chunk = ""] = framesOf(1, 64 * KIB);
    await pourUntilStalled(exchange, chunk);
    expect(exchange.bytesWritten).toBeLessThan(24 * MIB);
    for (const listener of listeners.splice(0)) listener.leave();
    await exchange.closed;
  }, 60_000);
});

describe("a call that is shared", () => {
  const askedBy = (gateway: ScriptedGateway, body: object, headers: Record<string, string> = {}) =>
    gateway.chat(body, { headers });
  const stateOf = (response: Response) => response.headers.get("x-modelyard-cache");

  test("serves plain and streamed requests alike, and tells each what it shares", async () => {
    await using gate = closedGate();
    const answer = [say("Hello, "), { gate: gate.url }, say("world"), stop(), spent(7, 3)];
    await using gateway = await startScripted({ m: answer }, { yaml: "cache: { mode: all }\n" });
    const first = await askedBy(gateway, STREAMED);
    const plain = askedBy(gateway, QUESTION);
    const streamed = await askedBy(gateway, { ...STREAMED, stream_options: { include_usage: true } });
    await running(gateway, 3);
    gate.open();
    expect([stateOf(first), stateOf(streamed), stateOf(await plain)]).toEqual(["miss", "follow", "follow"]);
    expect((await plain).headers.get("x-modelyard-upstream")).toBe("scripted");
    expect(await (await plain).json()).toMatchObject({
      choices: [{ message: { content: "Hello, world" } }],
      usage: { total_tokens: 10 },
    });
    expect(textOf(await readFrames(first))).toBe("Hello, world");
    expect((await readFrames(streamed)).chunks.at(-1)?.usage).toMatchObject({ total_tokens: 10 });
    expect(gateway.status().begun).toBe(1);
  });

  test("goes on when the one who began it leaves, and ends when the last one does", async () => {
    await using gate = closedGate();
    await using gateway = await startScripted(
      { m: [say("Hello, "), { gate: gate.url }, say("world"), stop()] },
      { yaml: "cache: { mode: all }\n" },
    );
    const first = listening(gateway);
    await first.begun;
    const second = listening(gateway);
    await second.begun;
    first.leave();
    await running(gateway, 1);
    expect(gateway.status().running).toBe(1);
    second.leave();
    await gateway.quiet();
    expect(gateway.status()).toMatchObject({ begun: 1, running: 0 });
    expect(gateway.gateway.cache?.coalescer.running).toBe(0);
  });

  test("that one has left in the middle is whole for the others", async () => {
    await using gate = closedGate();
    await using gateway = await startScripted(
      { m: [say("Hello, "), { gate: gate.url }, say("world"), stop()] },
      { yaml: "cache: { mode: all }\n" },
    );
    const first = listening(gateway);
    await first.begun;
    const second = gateway.chat(STREAMED);
    await running(gateway, 2);
    first.leave();
    await running(gateway, 1);
    gate.open();
    expect(textOf(await readFrames(await second))).toBe("Hello, world");
    expect(stateOf(await gateway.chat(QUESTION))).toBe("hit");
  });

  test("fails for each in its own form", async () => {
    await using gate = closedGate();
    await using gateway = await startScripted(
      { m: [{ gate: gate.url }, { fail: "rate-limited", message: "slowly", retryAfterMs: 7_000 }] },
      { yaml: "cache: { mode: all }\n" },
    );
    const answers = [QUESTION, STREAMED, QUESTION].map((body) => gateway.chat(body));
    await running(gateway, 3);
    gate.open();
    for (const response of await Promise.all(answers)) {
      expect([response.status, response.headers.get("retry-after")]).toEqual([429, "7"]);
      expect(await response.json()).toMatchObject({ error: { code: "rate_limit_exceeded" } });
    }
    expect(gateway.status().begun).toBe(1);
  });

  test("and breaks off does so for all, with an error and no end", async () => {
    await using gate = closedGate();
    await using gateway = await startScripted(
      { m: [say("Hel"), { gate: gate.url }, { fail: "unavailable", message: "gone" }] },
      { yaml: "cache: { mode: all }\n" },
    );
    const streams = await Promise.all([gateway.chat(STREAMED), gateway.chat(STREAMED)]);
    const plain = gateway.chat(QUESTION);
    await running(gateway, 3);
    gate.open();
    for (const stream of streams) {
      const { data } = await readFrames(stream);
      expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code: "upstream_unavailable" } });
    }
    expect((await plain).status).toBe(503);
    expect(gateway.status().begun).toBe(1);
  });

  test("is one's own for another key, another question, and who wants a new answer", async () => {
    await using gate = closedGate();
    const keys = `keys: [{ name: test, key: sk-test-0123456789 }, { name: bob, key: ${BOB} }]\n`;
    await using gateway = await startScripted(
      { m: [say("Hello"), { gate: gate.url }, stop()] },
      { yaml: `${keys}cache: { mode: all }\n` },
    );
    const answers = await Promise.all([
      askedBy(gateway, STREAMED),
      askedBy(gateway, STREAMED, { authorization: `Bearer ${BOB}` }),
      askedBy(gateway, { ...STREAMED, temperature: 1 }),
      askedBy(gateway, STREAMED, { "cache-control": "no-cache" }),
      askedBy(gateway, STREAMED, { "cache-control": "no-store" }),
    ]);
    gate.open();
    expect(answers.map(stateOf)).toEqual(["miss", "miss", "miss", "bypass", "bypass"]);
    for (const answer of answers) await answer.text();
    expect(gateway.status().begun).toBe(5);
  });

  test("is one's own for who asks by another name, which may lead elsewhere next", async () => {
    await using gate = closedGate();
    const routes = "routes: [{ model: alias, targets: [{ upstream: scripted, model: m }] }]\n";
    await using gateway = await startScripted(
      { m: [say("Hello"), { gate: gate.url }, stop()] },
      { yaml: `${routes}cache: { mode: all }\n` },
    );
    const answers = await Promise.all([
      gateway.chat(STREAMED),
      gateway.chat({ ...STREAMED, model: "alias" }),
    ]);
    gate.open();
    for (const answer of answers) await answer.text();
    expect(answers.map(stateOf)).toEqual(["miss", "miss"]);
    expect(stateOf(await gateway.chat({ ...QUESTION, model: "alias" }))).toBe("hit");
  });

  test("isn't in the way of shutting down", async () => {
    await using gateway = await startScripted(
      { m: [say("Hel"), { hang: true }] },
      { yaml: "cache: { mode: all }\n" },
    );
    const streams = await Promise.all([gateway.chat(STREAMED), gateway.chat(STREAMED)]);
    gateway.gateway.inFlight.abort(new GatewayError("shutting_down", "this gateway is shutting down"));
    for (const stream of streams) {
      const { data } = await readFrames(stream);
      expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code: "shutting_down" } });
    }
    await gateway.quiet();
  });
});

test("of those who share a call one pays, and who is given an answer again doesn't", async () => {
  await using gate = closedGate();
  const prices = 'version: "1"\nprices: [{ model: scripted/m, input: 1000, output: 1000 }]\n';
  await using gateway = await startScripted(
    { m: [say("Hello"), { gate: gate.url }, stop(), spent(70, 30)] },
    { yaml: "cache: { mode: all }\nprices: ./prices.yaml\n", files: { "prices.yaml": prices } },
  );
  const first = listening(gateway);
  await first.begun;
  const others = [gateway.chat(STREAMED), gateway.chat(QUESTION), gateway.chat(QUESTION)];
  await running(gateway, 4);
  first.leave();
  await running(gateway, 3);
  gate.open();
  for (const other of others) await (await other).text();
  await (await gateway.chat(QUESTION)).text();
  await gateway.gateway.settlements.settled();
  gateway.gateway.ledger.flush();
  const [booked] = await gateway.gateway.usage.usage({ by: "key" });
  expect(booked).toMatchObject({ requests: 5, ok: 4, client_abort: 1, hits: 4, unpriced: 0, cost: 0.1 });
});
