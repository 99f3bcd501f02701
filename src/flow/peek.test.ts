import { expect, test } from "bun:test";
import { peek } from "./peek.ts";

const limits = { limit: 3, tooMany: () => new Error("too many") };

async function* numbers(upTo: number): AsyncGenerator<number> {
  for (let n = 1; n <= upTo; n++) yield n;
}

test("what was looked at and the rest are all there is", async () => {
  const peeked = await peek(numbers(5), (n) => n === 2, limits);
  expect(peeked?.head).toEqual([1, 2]);
  expect((await peeked?.rest.next())?.value).toBe(3);
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
