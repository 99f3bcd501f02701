import { expect, test } from "bun:test";
import fc from "fast-check";
import { CustomInput, customInput } from "./custom-input.ts";

/** Reads a text in pieces of these lengths. */
function inPieces(whole: string, lengths: readonly number[]): string {
  const reader = new CustomInput();
  let read = "";
  let from = 0;
  for (const length of [...lengths, whole.length]) {
    read += reader.push(whole.slice(from, from + length));
    from += length;
  }
  return read;
}

test("any text comes out as it is, in whatever pieces its JSON comes", () => {
  const texts = fc.string({ unit: "binary" });
  const lengths = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 40 });
  fc.assert(
    fc.property(texts, lengths, fc.constantFrom(undefined, 2), (text, pieces, indent) => {
      const whole = JSON.stringify({ input: text }, undefined, indent);
      expect(inPieces(whole, pieces)).toBe(text);
      expect(customInput(whole)).toBe(text);
    }),
  );
});

test("every escape is read", () => {
  const whole = String.raw`{"input":"\b\f\n\r\t\/\\\"\u00e9\ud83d\ude00"}`;
  expect(
    inPieces(
      whole,
      Array.from(whole, () => 1),
    ),
  ).toBe('\b\f\n\r\t/\\"é😀');
});

test("arguments that have no such text are the text", () => {
  expect(customInput('{"patch":"x"}')).toBe('{"patch":"x"}');
  expect(customInput("*** Begin")).toBe("*** Begin");
});
