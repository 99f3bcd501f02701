import { expect, test } from "bun:test";
import { peek, resume } from "./peek.ts";

const limits = { limit: 3, tooMany: () => new Error("too many") };

async function* numbers(upTo: number): AsyncGenerator<number> {
  for (let n = 1; n <= upTo; n++) yield n;
}

test("what was peeked and the rest come out as if nobody had looked", async () => {
  const peeked = await peek(numbers(5), (n) => n === 2, limits);
  expect(peeked?.head).toEqual([1, 2]);
  expect(await Array.fromAsync(resume(peeked!))).toEqual([1, 2, 3, 4, 5]);
});

test("a source that ends without a wanted item gives nothing", async () => {
  expect(await peek(numbers(2), () => false, limits)).toBeUndefined();
});

test("a source that goes on and on without a wanted item is an error, and is left", async () => {
  let left = false;
  async function* source(): AsyncGenerator<number> {
    try {
      yield* numbers(10);
    } finally {
      left = true;
    }
  }
  await expect(peek(source(), () => false, limits)).rejects.toThrow("too many");
  expect(left).toBe(true);
});

test("a reader that leaves early lets the source clean up", async () => {
  let cleaned = false;
  async function* source(): AsyncGenerator<number> {
    try {
      yield* numbers(100);
    } finally {
      cleaned = true;
    }
  }
  const peeked = await peek(source(), (n) => n === 1, limits);
  for await (const n of resume(peeked!)) if (n === 3) break;
  expect(cleaned).toBe(true);
});
