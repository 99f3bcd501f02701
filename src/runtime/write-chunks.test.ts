import { expect, test } from "bun:test";
import fc from "fast-check";
import { inChunks, responseBody } from "./write-chunks.ts";

/** From here on Bun would send each header by itself. */
const BUNS_BOUND = 16 * 1024;

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  inChunks(text, (piece) => pieces.push(piece));
  return pieces;
}

const long = fc
  .array(fc.string({ unit: fc.constantFrom("a", "ü", "日", "\u{1F600}", "\n"), maxLength: 9_000 }), {
    maxLength: 6,
  })
  .map((texts) => texts.join("\n\n"));

test("a text's pieces are small in any script, and are the text", () => {
  fc.assert(
    fc.property(long, (text) => {
      const pieces = piecesOf(text);
      expect(Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString()).toBe(text);
      for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThan(BUNS_BOUND);
    }),
  );
});

test("pieces end with a line where there is one", () => {
  const frames = Array.from({ length: 200 }, (_, n) => `data: ${"x".repeat(n)}\n\n`);
  const pieces = piecesOf(frames.join(""));
  expect(pieces.length).toBeGreaterThan(1);
  for (const piece of pieces) expect(piece).toEndWith("\n");
});

test("what is small stays as it is", () => {
  expect(piecesOf("data: 1\n\n")).toEqual(["data: 1\n\n"]);
  expect(piecesOf("")).toEqual([""]);
  const whole = "x".repeat(12 * 1024);
  expect(responseBody(whole)).toBe(whole);
});

test("a large body arrives whole, be it a text or bytes", async () => {
  const text = JSON.stringify({ text: "日本 \u{1F600} ".repeat(20_000) });
  const bytes = new TextEncoder().encode(text);
  expect(await new Response(responseBody(text)).text()).toBe(text);
  expect(await new Response(responseBody(bytes)).text()).toBe(text);
});

test("a text without lines takes time in proportion to its length", () => {
  // Were each piece to cost a look at all that came before, this would take a minute and time out.
  const text = "x".repeat(80_000_000);
  let length = 0;
  inChunks(text, (piece) => (length += piece.length));
  expect(length).toBe(text.length);
});
