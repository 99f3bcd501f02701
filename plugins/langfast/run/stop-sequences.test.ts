import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { StopSequences } from "./stop-sequences.ts";

function cut(sequences: readonly string[], pieces: readonly string[]): string {
  const stop = new StopSequences(sequences);
  return pieces.map((piece) => stop.push(piece)).join("") + stop.end();
}

/** What a model does: it stops as soon as what it has said ends in a stop sequence. */
function cutLetterByLetter(sequences: readonly string[], text: string): string {
  for (let end = 1; end <= text.length; end++) {
    const said = text.slice(0, end);
    const lengths = sequences.filter((sequence) => said.endsWith(sequence)).map(({ length }) => length);
    if (lengths.length > 0) return said.slice(0, end - Math.max(...lengths));
  }
  return text;
}

describe("stop sequences", () => {
  test.each([
    { what: "end the text before the sequence", sequences: ["END"], pieces: ["abENDcd"], text: "ab" },
    { what: "are found across pieces", sequences: ["END"], pieces: ["abE", "N", "Dcd"], text: "ab" },
    { what: "give back what only looked like one", sequences: ["END"], pieces: ["abE", "Nx"], text: "abENx" },
    { what: "give back a beginning at the end", sequences: ["END"], pieces: ["abEN"], text: "abEN" },
    { what: "count by where they stand", sequences: ["late", "ea"], pieces: ["an early late"], text: "an " },
    { what: "may overlap with themselves", sequences: ["aab"], pieces: ["a", "a", "a", "b"], text: "a" },
  ])("$what", ({ sequences, pieces, text }) => {
    expect(cut(sequences, pieces)).toBe(text);
  });

  test("say which was found", () => {
    const stop = new StopSequences(["x", "y"]);
    expect(stop.push("1y2x")).toBe("1");
    expect(stop.found).toBe("y");
    expect(stop.push("more")).toBe("");
  });

  test("cut at the one that is complete first, however the text comes", () => {
    const letters = fc.constantFrom("a", "b");
    const sequences = fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 4 }), { maxLength: 3 });
    const pieces = fc.array(fc.string({ unit: letters, maxLength: 4 }), { maxLength: 10 });
    fc.assert(
      fc.property(sequences, pieces, (wanted, said) => {
        const whole = said.join("");
        expect(cut(wanted, said)).toBe(cutLetterByLetter(wanted, whole));
      }),
    );
  });
});
