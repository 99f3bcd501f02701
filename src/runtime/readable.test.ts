import type { Socket } from "bun";
import { afterAll, expect, test } from "bun:test";
import { until, withinMs } from "../../test/support/until.ts";
import type { Chunks, NextChunk, ReadableOptions } from "./readable.ts";
import { readable } from "./readable.ts";

const QUIET: ReadableOptions = { left: () => undefined, beat: ": beat\n\n", interval: 60_000 };

/** What the next request is answered with. */
let body: () => ReadableStream<string> | Promise<ReadableStream<string>>;
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  fetch: async () => new Response(await body()),
});
afterAll(() => server.stop(true));

function answer(chunks: Chunks, options: Partial<ReadableOptions> = {}): Promise<Response> {
  body = () => readable(chunks, { ...QUIET, ...options });
  return fetch(server.url);
}

async function readerOf(response: Promise<Response>) {
  const { body: bytes } = await response;
  if (!bytes) throw new Error("an answer without a body");
  return bytes.getReader();
}

const decoder = new TextDecoder();

/** What a client on a plain socket gets, which reads only when it wants to. */
async function slowReader(): Promise<{ readonly socket: Socket; readonly received: () => number }> {
  let received = 0;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(server.url.port),
    socket: {
      data: (_, bytes) => void (received += bytes.length),
    },
  });
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  return { socket, received: () => received };
}

/** Chunks without end, of 10 KB each, at once. */
class Endless implements Chunks {
  given = 0;
  readonly #left = Promise.withResolvers<void>();
  readonly left = this.#left.promise;
  readonly #text = "x".repeat(10_000);

  next(): NextChunk {
    this.given += 1;
    return { done: false, value: this.#text };
  }

  return(): Promise<void> {
    this.#left.resolve();
    return this.#left.promise;
  }
}

test("chunks come out in order and the body ends with them", async () => {
  async function* chunks(): AsyncGenerator<string, void> {
    for (const text of ["a", "é", "\u{1F600}"]) yield text;
  }
  expect(await (await answer(chunks())).text()).toBe("aé\u{1F600}");
});

test("chunks that are there at once come in order, whether they end at once or not", async () => {
  for (const isEnded of [true, false]) {
    const texts = ["a", "b", "c".repeat(100_000)];
    const all = texts.join("");
    const chunks: Chunks = {
      next: () => {
        const value = texts.shift();
        if (value !== undefined) return { done: false, value };
        const end: NextChunk = { done: true, value: undefined };
        return isEnded ? end : new Promise((resolve) => setImmediate(resolve, end));
      },
      return: () => Promise.reject(new Error("nobody left")),
    };
    const response = await answer(chunks, { left: () => expect.unreachable() });
    expect(await response.text()).toBe(all);
  }
});

test("a reader who takes nothing stops the source, and it goes on when he does", async () => {
  const source = new Endless();
  body = () => readable(source, QUIET);
  const { socket, received } = await slowReader();
  let before = -1;
  await until(() => {
    const isSame = source.given > 0 && source.given === before;
    before = source.given;
    return isSame;
  }, "the source to be stopped");
  // What the two sockets hold.
  expect(source.given).toBeLessThan(2_000);
  expect(received()).toBe(0);
  socket.resume();
  await until(() => source.given > 2 * before, "the source to go on");
  socket.terminate();
  await withinMs(source.left, "the source to be left");
});

test("a reader who leaves is told of once, and the source cleans up", async () => {
  let left = 0;
  const cleaned = Promise.withResolvers<void>();
  async function* chunks(): AsyncGenerator<string, void> {
    try {
      yield "x";
      for (;;) yield await new Promise<string>((resolve) => setTimeout(resolve, 5, "x"));
    } finally {
      cleaned.resolve();
    }
  }
  const reader = await readerOf(answer(chunks(), { left: () => (left += 1) }));
  await reader.read();
  await reader.cancel();
  await withinMs(cleaned.promise, "the source to clean up");
  expect(left).toBe(1);
});

test("so is one who takes nothing and leaves, and one who left before there was a body", async () => {
  const full = new Endless();
  let left = 0;
  body = () => readable(full, { ...QUIET, left: () => (left += 1) });
  const { socket } = await slowReader();
  await until(() => full.given > 10, "the source to be asked");
  socket.terminate();
  await withinMs(full.left, "the source to be left");

  const late = new Endless();
  const asked = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  body = async () => {
    asked.resolve();
    await go.promise;
    return readable(late, { ...QUIET, left: () => (left += 1) });
  };
  const early = new AbortController();
  const gone = fetch(server.url, { signal: early.signal }).catch(() => undefined);
  await asked.promise;
  early.abort();
  await gone;
  // The server has seen that before it has the body.
  await until(() => server.pendingRequests === 0, "the request to be over");
  go.resolve();
  await withinMs(late.left, "the source to be left");
  expect([left, late.given]).toEqual([2, 0]);
});

test("silence is filled with beats", async () => {
  const go = Promise.withResolvers<void>();
  async function* chunks(): AsyncGenerator<string, void> {
    await go.promise;
    yield "data";
  }
  const reader = await readerOf(answer(chunks(), { interval: 5 }));
  let text = "";
  while (text.length < 3 * QUIET.beat.length) text += decoder.decode((await reader.read()).value);
  go.resolve();
  for (let next = await reader.read(); !next.done; next = await reader.read())
    text += decoder.decode(next.value);
  expect(text).toMatch(/^(: beat\n\n){3,}data$/);
});

test("they don't pile up for a reader who takes nothing", async () => {
  // Enough to fill the sockets, and then silence.
  const texts = Array.from({ length: 2_000 }, () => "x".repeat(10_000));
  const chunks: Chunks = {
    next: () => {
      const value = texts.shift();
      return value === undefined ? new Promise(() => undefined) : { done: false, value };
    },
    return: () => Promise.resolve(),
  };
  const beat = "b".repeat(1_000_000);
  body = () => readable(chunks, { ...QUIET, beat, interval: 1 });
  const before = process.memoryUsage.rss();
  const { socket } = await slowReader();
  await until(() => texts.length < 2_000, "the source to be asked");
  await Bun.sleep(200);
  expect(process.memoryUsage.rss() - before).toBeLessThan(60e6);
  socket.terminate();
});

test("a body that nobody reads asks for nothing and keeps no timer", async () => {
  const source = new Endless();
  readable(source, { ...QUIET, beat: "", interval: 1 });
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(source.given).toBe(0);
});
