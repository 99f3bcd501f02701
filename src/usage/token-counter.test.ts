import { afterAll, expect, test } from "bun:test";
import { O200k } from "./o200k/o200k.ts";
import { measured, pieceOfChunk } from "../../test/support/heap.ts";
import { createLogger } from "../log.ts";
import { cut, TokenCounter } from "./token-counter.ts";

const log = createLogger({ log: "json", level: "error", redact: (line) => line });
const counter = new TokenCounter(log);
afterAll(() => counter[Symbol.dispose]());

async function tokensOf(...pieces: string[]): Promise<number> {
  const text = counter.text();
  for (const piece of pieces) text.add(piece);
  return text.tokens();
}

test("a text is counted as the tokenizer counts it, however it came in pieces", async () => {
  const sentence = "The quick brown fox jumps over the lazy dog. 你好，世界！ <|endoftext|> ";
  const whole = sentence.repeat(40);
  const exact = new O200k().count(whole);
  const counted = await tokensOf(...sentence.repeat(40).match(/.{1,7}/gs)!);
  expect(Math.abs(counted - exact)).toBeLessThanOrEqual(exact * 0.02);
});

test("nothing has no tokens", async () => {
  expect(await tokensOf()).toBe(0);
});

test("a huge text is measured by its beginning", async () => {
  const beginning = await tokensOf("word ".repeat(4_000));
  const huge = await tokensOf("word ".repeat(400_000));
  expect(huge).toBe(beginning * 100);
});

test("a text without any boundary doesn't hold up the answer", async () => {
  const began = performance.now();
  expect(await tokensOf("a".repeat(1_000_000))).toBeGreaterThan(1_000);
  console.info(`1,000,000 letters without a space: ${Math.round(performance.now() - began)} ms`);
});

test("pieces make the text again and split no character", () => {
  const text = "x".repeat(511) + "😀".repeat(600) + " end";
  const pieces = cut(text);
  expect(pieces.join("")).toBe(text);
  for (const piece of pieces) expect(piece.isWellFormed()).toBe(true);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(512);
});

test("a text doesn't keep the chunks that its pieces were cut from", () => {
  const { made, bytes } = measured(() =>
    Array.from({ length: 200 }, () => {
      const text = counter.text();
      for (let number = 0; number < 200; number++) text.add(pieceOfChunk(number));
      return text;
    }),
  );
  // A thousand characters each, and not 200 chunks of 300.
  expect(bytes / made.length).toBeLessThan(10_000);
});
