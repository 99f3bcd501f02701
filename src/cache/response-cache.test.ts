import { describe, expect, test } from "bun:test";
import { textIn } from "../../test/support/batches.ts";
import { measured, pieceOfChunk } from "../../test/support/heap.ts";
import type { CacheSettings } from "../../config/settings.ts";
import { EventBuffer } from "./event-buffer.ts";
import type { CachedAnswer } from "./response-cache.ts";
import { openResponseCache, ResponseCache } from "./response-cache.ts";

const KIB = 1024;
const SETTINGS: CacheSettings = {
  max_size: 100 * KIB,
  max_entry: 20 * KIB,
  ttl: 60_000,
  mode: "all",
  scope: "key",
};
const BY = { upstream: "one", upstreamModel: "m", attempts: 1, ignored: ["seed"] };

function saying(text: string): EventBuffer {
  const list = new EventBuffer();
  for (const piece of text.match(/.{1,1000}/gs) ?? []) list.push([{ type: "text", text: piece }]);
  return list;
}

async function textOf(cached: CachedAnswer | undefined): Promise<string | undefined> {
  return cached && textIn(cached.events());
}

function clocked(settings: Partial<CacheSettings> = {}) {
  const clock = { now: 5_000 };
  return { clock, cache: new ResponseCache({ ...SETTINGS, ...settings }, () => clock.now) };
}

describe("an answer", () => {
  test("is given again as often as it is asked for, with who gave it", async () => {
    const { cache } = clocked();
    cache.set("key", BY, saying("Hello"));
    expect(await textOf(cache.get("key"))).toBe("Hello");
    expect(await textOf(cache.get("key"))).toBe("Hello");
    expect(cache.get("key")?.answered).toEqual(BY);
    expect(cache.get("other")).toBeUndefined();
  });

  test("is read a part at a time, and no further than it is asked for", async () => {
    const { cache } = clocked({ max_entry: 100 * KIB });
    cache.set("key", BY, saying("x".repeat(50 * KIB)));
    const events = cache.get("key")?.events();
    const first = await events?.next();
    expect(first?.value?.length).toBeLessThan(20);
    await events?.return?.();
    expect(await events?.next()).toEqual({ done: true, value: undefined });
  });

  test("is as old as it is, and is forgotten beyond its time", () => {
    const { cache, clock } = clocked();
    cache.set("key", BY, saying("Hello"));
    clock.now += 59_999;
    expect(cache.get("key")?.age).toBe(59_999);
    clock.now += 2;
    expect(cache.get("key")).toBeUndefined();
    expect([cache.count, cache.size]).toEqual([0, 0]);
  });

  test("that is too old for one is kept for others", () => {
    const { cache, clock } = clocked();
    cache.set("key", BY, saying("Hello"));
    clock.now += 10_000;
    expect(cache.get("key", 9_999)).toBeUndefined();
    expect(cache.get("key", 10_000)).toBeDefined();
  });

  test("takes the place of an older one", async () => {
    const { cache, clock } = clocked();
    cache.set("key", BY, saying("old"));
    clock.now += 1_000;
    cache.set("key", BY, saying("new"));
    expect([await textOf(cache.get("key")), cache.get("key")?.age, cache.count]).toEqual(["new", 0, 1]);
  });
});

describe("the bounds", () => {
  test("hold: the longest unused go first", () => {
    const { cache } = clocked();
    for (let nth = 0; nth < 50; nth++) {
      cache.set(`key ${nth}`, BY, saying("x".repeat(10 * KIB)));
      expect(cache.get("key 0")).toBeDefined();
      expect(cache.size).toBeLessThanOrEqual(100 * KIB);
    }
    expect(cache.count).toBeGreaterThan(5);
    expect(cache.get("key 1")).toBeUndefined();
    expect(cache.get("key 49")).toBeDefined();
  });

  test("keep out an answer that is too large, and what stood in its place", () => {
    const { cache } = clocked();
    cache.set("key", BY, saying("small"));
    cache.set("key", BY, saying("x".repeat(21 * KIB)));
    expect(cache.get("key")).toBeUndefined();
  });

  test("count many small answers as what they take", () => {
    const { cache } = clocked();
    for (let nth = 0; nth < 1_000; nth++) cache.set(`key ${nth}`, BY, saying("x"));
    expect(cache.count).toBeLessThan(150);
  });

  test("of nothing turn it off, as its mode does", () => {
    expect(openResponseCache({ ...SETTINGS, max_size: 0 })).toBeUndefined();
    expect(openResponseCache({ ...SETTINGS, mode: "off" })).toBeUndefined();
    expect(openResponseCache(SETTINGS)).toBeInstanceOf(ResponseCache);
  });
});

describe("an answer's bytes", () => {
  const sent = { bytes: new Uint8Array(5 * KIB), usage: undefined };

  test("are kept beside it, and counted", () => {
    const { cache } = clocked();
    cache.set("key", BY, saying("Hello"));
    const before = cache.size;
    cache.get("key")?.encoded.keep("json", sent);
    expect(cache.get("key")?.encoded.get("json")).toBe(sent);
    expect(cache.get("key")?.encoded.get("sse")).toBeUndefined();
    expect(cache.size).toBe(before + 5 * KIB);
  });

  test("aren't when they would be too much", () => {
    const { cache } = clocked();
    cache.set("key", BY, saying("x".repeat(16 * KIB)));
    cache.get("key")?.encoded.keep("json", sent);
    expect(cache.get("key")?.encoded.get("json")).toBeUndefined();
  });

  test("never stand beside another answer", () => {
    const { cache } = clocked();
    cache.set("key", BY, saying("old"));
    const old = cache.get("key");
    cache.set("key", BY, saying("new"));
    old?.encoded.keep("json", sent);
    expect([old?.encoded.get("json"), cache.get("key")?.encoded.get("json")]).toEqual([undefined, undefined]);
  });
});

test("an answer takes no more memory than is counted, though its pieces were cut from large chunks", () => {
  const { made, bytes } = measured(() => {
    const { cache } = clocked({ max_size: 1024 * KIB });
    for (let entry = 0; entry < 200; entry++) {
      const events = new EventBuffer();
      for (let number = 0; number < 200; number++)
        events.push([{ type: "text", text: pieceOfChunk(number) }]);
      cache.set(String(entry), BY, events);
    }
    return cache;
  });
  expect(made.count).toBe(200);
  // The engine frees and takes memory in larger units.
  expect(bytes).toBeLessThan(1.5 * made.size);
});

describe("a vector", () => {
  const numbers = Array.from({ length: 1_000 }, (_, nth) => nth / 3);
  const kept = { answered: BY, model: { model: "m-v2" }, tokens: 3, isExact: true };

  test.each([[numbers], [new Float32Array(numbers)], ["AAAA"]])("comes back as it was", (vector) => {
    const { cache, clock } = clocked();
    cache.setVector("key", { ...kept, vector });
    clock.now += 7;
    const found = cache.vector("key");
    expect(found).toMatchObject({ ...kept, age: 7 });
    expect(found?.vector()).toEqual(vector);
    expect(cache.vector("key", 6)).toBeUndefined();
    expect(cache.get("key")).toBeUndefined();
    clock.now += 60_000;
    expect(cache.vector("key")).toBeUndefined();
  });

  test("is not changed with the plugin's own array", () => {
    const { cache } = clocked();
    const own = new Float32Array([1, 2]);
    cache.setVector("key", { ...kept, vector: own });
    own[0] = 9;
    expect(cache.vector("key")?.vector()).toEqual(new Float32Array([1, 2]));
  });

  test("takes its room from the answers", () => {
    const { cache } = clocked();
    for (let nth = 0; nth < 20; nth++) cache.setVector(`key ${nth}`, { ...kept, vector: numbers });
    expect(cache.size).toBeLessThanOrEqual(100 * KIB);
    expect(cache.count).toBe(11);
    expect(cache.evicted).toBe(9);
    cache.setVector("large", { ...kept, vector: [...numbers, ...numbers, ...numbers] });
    expect(cache.vector("large")).toBeUndefined();
  });
});
