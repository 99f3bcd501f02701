import { expect, test } from "bun:test";
import { readable } from "./readable.ts";

const quiet = { left: () => undefined, beat: ": beat\n\n", interval: 60_000 };

test("chunks come out in order and the body ends with them", async () => {
  async function* chunks(): AsyncGenerator<string, void> {
    for (const text of ["a", "b", "c"]) yield text;
  }
  expect(await new Response(readable(chunks(), quiet)).text()).toBe("abc");
});

test("nothing but what may leave with the headers is asked of the source before the reader wants it", async () => {
  let produced = 0;
  async function* chunks(): AsyncGenerator<string, void> {
    for (;;) {
      produced += 1;
      yield "x";
    }
  }
  const reader = readable(chunks(), quiet).getReader();
  await new Promise((resolve) => setImmediate(resolve));
  expect(produced).toBe(1);
  await reader.read();
  await new Promise((resolve) => setImmediate(resolve));
  expect(produced).toBe(1);
  await reader.read();
  expect(produced).toBe(2);
  await reader.cancel();
});

test("what is there at once is there before anybody reads, of an endless source only some", async () => {
  let given = 0;
  const endless = {
    next: () => ({ done: false as const, value: `${(given += 1)}\n`.padStart(1_000) }),
    return: () => Promise.resolve(),
  };
  const reader = readable(endless, quiet).getReader();
  const begun = given;
  expect(begun).toBeGreaterThan(10);
  expect(begun).toBeLessThan(100);
  const first = await reader.read();
  expect(first.value?.trim()).toBe("1");
  expect(given).toBe(begun);
  await reader.cancel();
});

test("a source that has all of it at once needs no reader to end", async () => {
  const texts = ["a", "b"];
  const body = readable(
    {
      next: () => {
        const value = texts.shift();
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: () => Promise.reject(new Error("nobody left")),
    },
    { ...quiet, left: () => expect.unreachable() },
  );
  expect(texts).toEqual([]);
  expect(await new Response(body).text()).toBe("ab");
});

test("a reader that leaves is told of once, and the source cleans up", async () => {
  let left = 0;
  const cleaned = Promise.withResolvers<void>();
  async function* chunks(): AsyncGenerator<string, void> {
    try {
      for (;;) yield "x";
    } finally {
      cleaned.resolve();
    }
  }
  const reader = readable(chunks(), { ...quiet, left: () => (left += 1) }).getReader();
  await reader.read();
  await reader.cancel();
  await cleaned.promise;
  expect(left).toBe(1);
});

test("silence is filled with beats, which a reader that takes nothing doesn't pile up", async () => {
  const go = Promise.withResolvers<void>();
  async function* chunks(): AsyncGenerator<string, void> {
    await go.promise;
    yield "data";
  }
  const reader = readable(chunks(), { ...quiet, interval: 5 }).getReader();
  const text = async () => (await reader.read()).value;
  expect(await text()).toBe(": beat\n\n");
  expect(await text()).toBe(": beat\n\n");
  await new Promise((resolve) => setTimeout(resolve, 60));
  go.resolve();
  const rest = [await text(), await text()];
  while (!rest.at(-1)?.includes("data")) rest.push(await text());
  expect(rest.length).toBeLessThanOrEqual(4);
  expect((await reader.read()).done).toBe(true);
});

test("a body that nobody has begun to read keeps no timer", async () => {
  async function* chunks(): AsyncGenerator<string, void> {
    yield "data";
  }
  const body = readable(chunks(), { ...quiet, interval: 5 });
  await new Promise((resolve) => setTimeout(resolve, 30));
  const reader = body.getReader();
  expect((await reader.read()).value).toBe("data");
  await reader.cancel();
});
