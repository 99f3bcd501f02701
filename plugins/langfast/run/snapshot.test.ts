import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { UpstreamError } from "modelyard/plugin";
import { StreamedSnapshots, WholeSnapshot } from "./snapshot.ts";
import type { SnapshotReader } from "./snapshot.ts";

function read(reader: SnapshotReader, snapshots: readonly string[]): { deltas: string[]; end: string } {
  return { deltas: snapshots.map((snapshot) => reader.next(snapshot)), end: reader.end() };
}

function codeThrown(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (UpstreamError.is(error)) return error.code;
  }
  return "nothing";
}

describe("snapshots of a stream", () => {
  test.each([
    { what: "that grow give what was added", said: ["a", "ab", "abcd"], deltas: ["a", "b", "cd"] },
    { what: "that repeat give nothing", said: ["ab", "ab", "abc"], deltas: ["ab", "", "c"] },
    { what: "that are empty give nothing", said: ["", "ab", "", "abc", ""], deltas: ["", "ab", "", "c", ""] },
    { what: "that shrink and grow again lose nothing", said: ["abc", "a", "abcd"], deltas: ["abc", "", "d"] },
    { what: "that err for a while lose nothing", said: ["abc", "aX", "abcd"], deltas: ["abc", "", "d"] },
  ])("$what", ({ said, deltas }) => {
    expect<unknown>(read(new StreamedSnapshots(), said)).toEqual({ deltas, end: "" });
  });

  test.each([
    { what: "contradicts what was sent", said: ["abc", "aXcd"] },
    { what: "takes back what was sent", said: ["abc", "ab"] },
  ])("fail honestly if the last one $what", ({ said }) => {
    const reader = new StreamedSnapshots();
    for (const snapshot of said) reader.next(snapshot);
    expect(codeThrown(() => reader.end())).toBe("bad-response");
  });

  test("never cut a surrogate pair", () => {
    const said = ["a\ud83d", "a\ud83d\ude00", "a\ud83d\ude00b\ud83d"];
    const { deltas, end } = read(new StreamedSnapshots(), said);
    expect(deltas).toEqual(["a", "\ud83d\ude00", "b"]);
    expect(end).toBe("\ud83d");
  });

  test("add up to the text, whatever it is and wherever it is cut", () => {
    const cuts = fc.array(fc.nat(60), { maxLength: 20 });
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), cuts, (text, ends) => {
        const reader = new StreamedSnapshots();
        const said = [...ends.toSorted((a, b) => a - b).map((end) => text.slice(0, end)), text];
        const { deltas, end } = read(reader, said);
        expect([...deltas, end].join("")).toBe(text);
        for (const delta of deltas) expect(delta.isWellFormed()).toBe(true);
      }),
    );
  });

  test("of a megabyte cost no more than a comparison each", () => {
    const text = "0123456789abcdef".repeat(65_536);
    const reader = new StreamedSnapshots();
    const started = performance.now();
    let length = 0;
    for (let end = 4096; end <= text.length; end += 4096) length += reader.next(text.slice(0, end)).length;
    expect(length).toBe(text.length);
    // 256 snapshots, 128 MB compared: about 20 ms; character by character it would be several hundred.
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("snapshots of a plain answer", () => {
  test("give the last one at the end, even if it was rewritten", () => {
    const { deltas, end } = read(new WholeSnapshot(), ["abc", "abcd", "", "aXc"]);
    expect(deltas.join("")).toBe("");
    expect(end).toBe("aXc");
  });
});
