import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { outcomeOf } from "../../test/support/pieces.ts";
import { Channel } from "./channel.ts";
import type { ChannelOptions } from "./channel.ts";

/** A channel of texts that counts how often it was left. */
function channelOf(options: Partial<ChannelOptions<string>> = {}) {
  const counts = { left: 0 };
  const channel = new Channel<string>({ maxItems: 100, onCancel: () => void counts.left++, ...options });
  return { channel, counts };
}

describe("a channel", () => {
  test("gives in order what was pushed before and while it is read, then ends", async () => {
    const { channel, counts } = channelOf();
    channel.push("a");
    channel.push("b");
    const reading = outcomeOf(channel);
    await Promise.resolve();
    channel.push("c");
    channel.end();
    expect(channel.push("d")).toBe(false);
    expect(await reading).toEqual({ items: ["a", "b", "c"], error: undefined });
    expect(counts.left).toBe(0);
  });

  test("gives an error after what is buffered, once", async () => {
    const { channel, counts } = channelOf();
    channel.push("a");
    channel.fail(new Error("broken"));
    channel.fail(new Error("later"));
    channel.end();
    const reader = channel[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ done: false, value: "a" });
    await expect(reader.next()).rejects.toThrow("broken");
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    expect(counts.left).toBe(0);
  });

  test("wakes a reader that waits", async () => {
    for (const [wake, expected] of [
      [(channel: Channel<string>) => channel.push("a"), { done: false, value: "a" }],
      [(channel: Channel<string>) => channel.end(), { done: true, value: undefined }],
    ] as const) {
      const { channel } = channelOf();
      const waiting = channel[Symbol.asyncIterator]().next();
      wake(channel);
      expect(await waiting).toEqual(expected);
    }
    const { channel } = channelOf();
    const waiting = channel[Symbol.asyncIterator]().next();
    channel.fail(new Error("broken"));
    await expect(waiting).rejects.toThrow("broken");
  });

  test("refuses what goes beyond its number, and fails after what is buffered", async () => {
    const { channel, counts } = channelOf({ maxItems: 2 });
    expect([channel.push("a"), channel.push("b"), channel.push("c"), channel.push("d")]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(counts.left).toBe(1);
    const { items, error } = await outcomeOf(channel);
    expect(items).toEqual(["a", "b"]);
    expect(error).toMatchObject({ code: "bad-response" });
    expect(counts.left).toBe(1);
  });

  test("refuses what goes beyond its size, counting only what waits", async () => {
    const { channel } = channelOf({ maxSize: 10, sizeOf: (text) => text.length });
    const reader = channel[Symbol.asyncIterator]();
    for (let round = 0; round < 5; round++) {
      expect(channel.push("123456")).toBe(true);
      expect(channel.push("7890")).toBe(true);
      await reader.next();
      await reader.next();
    }
    expect(channel.buffered).toBe(0);
    expect(channel.push("12345678901")).toBe(false);
  });

  test("runs its clean-up once when the reader leaves, and wants nothing more", async () => {
    const { channel, counts } = channelOf();
    channel.push("a");
    channel.push("b");
    for await (const value of channel) {
      expect(value).toBe("a");
      break;
    }
    expect(counts.left).toBe(1);
    expect(channel.buffered).toBe(0);
    expect(channel.push("c")).toBe(false);
    channel[Symbol.dispose]();
    expect(counts.left).toBe(1);
  });

  test("ends a wait when its reader leaves, or when it is disposed of", async () => {
    const left = channelOf();
    const reader = left.channel[Symbol.asyncIterator]();
    const waiting = reader.next();
    await reader.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    const disposed = channelOf();
    const pending = disposed.channel[Symbol.asyncIterator]().next();
    disposed.channel[Symbol.dispose]();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect([left.counts.left, disposed.counts.left]).toEqual([1, 1]);
  });

  test("gives the reason of its signal at once, and drops what is buffered", async () => {
    const controller = new AbortController();
    const { channel, counts } = channelOf({ signal: controller.signal });
    channel.push("a");
    controller.abort(new Error("enough"));
    expect(await outcomeOf(channel)).toEqual({ items: [], error: new Error("enough") });
    expect(channel.push("b")).toBe(false);
    expect(counts.left).toBe(1);
  });

  test("wakes its reader with the reason of its signal", async () => {
    const controller = new AbortController();
    const { channel, counts } = channelOf({ signal: controller.signal });
    const waiting = channel[Symbol.asyncIterator]().next();
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(counts.left).toBe(1);
  });

  test("is left from the start when its signal has aborted before", async () => {
    const { channel, counts } = channelOf({ signal: AbortSignal.abort(new Error("enough")) });
    expect(channel.push("a")).toBe(false);
    expect(await outcomeOf(channel)).toEqual({ items: [], error: new Error("enough") });
    expect(counts.left).toBe(1);
  });

  test("lets go of its signal when it ends", async () => {
    const controller = new AbortController();
    const { channel, counts } = channelOf({ signal: controller.signal });
    channel.end();
    controller.abort(new Error("enough"));
    expect(await outcomeOf(channel)).toEqual({ items: [], error: undefined });
    expect(counts.left).toBe(0);
  });

  test("has one reader, who waits for one value at a time", async () => {
    const { channel } = channelOf();
    const reader = channel[Symbol.asyncIterator]();
    expect(() => channel[Symbol.asyncIterator]()).toThrow("one reader");
    const first = reader.next();
    await expect(reader.next()).rejects.toThrow("one value at a time");
    channel.push("a");
    expect(await first).toEqual({ done: false, value: "a" });
  });

  test("gives each value once and in order, however pushes and reads take turns", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 40 }), async (turns) => {
        const { channel } = channelOf({ maxItems: 1000 });
        const reader = channel[Symbol.asyncIterator]();
        let [pushed, read] = [0, 0];
        for (const turn of turns) {
          for (let count = 0; count < turn; count++) channel.push(String(pushed++));
          for (let count = 0; count > turn && read < pushed; count--) {
            expect(await reader.next()).toEqual({ done: false, value: String(read++) });
          }
        }
        expect(channel.buffered).toBe(pushed - read);
      }),
      { numRuns: 100 },
    );
  });
});
