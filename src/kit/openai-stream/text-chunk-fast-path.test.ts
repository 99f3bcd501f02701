import { expect, test } from "bun:test";
import fc from "fast-check";
import type { ChatEvent } from "../../contract/index.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { TextChunkFastPath } from "./text-chunk-fast-path.ts";

const chunk = (content: string, more: object = {}) =>
  JSON.stringify({ id: "c1", model: "m", choices: [{ index: 0, delta: { content }, ...more }] });

/** What the fast path reads of a chunk that stands between others. */
function matchOf(fastPath: TextChunkFastPath, data: string): ChatEvent | undefined {
  const [ahead, line, next] = ["data: {}\n\n", `data: ${data}\n\n`, "data: [DONE]\n\n"];
  const end = fastPath.matchEnd(ahead + line + next, ahead.length);
  if (end === ahead.length) return undefined;
  expect(end).toBe(ahead.length + line.length);
  return fastPath.read(ahead + line + next, ahead.length, end);
}

/** What the parser says of each chunk of a stream, and what is read when the fast path is tried first. */
function both(stream: readonly string[]): { parsed: ChatEvent[]; read: ChatEvent[]; fast: number } {
  const [plain, beside, fastPath] = [new ChunkReader(), new ChunkReader(), new TextChunkFastPath()];
  const [parsed, read]: [ChatEvent[], ChatEvent[]] = [[], []];
  let fast = 0;
  for (const data of stream) {
    parsed.push(...plain.read(JSON.parse(data)).events);
    const event = matchOf(fastPath, data);
    if (event) {
      fast += 1;
      read.push(event);
      continue;
    }
    const { events } = beside.read(JSON.parse(data));
    fastPath.learn(data, events);
    read.push(...events);
  }
  return { parsed, read, fast };
}

test("chunks that differ in their text alone are read without parsing, and say the same", () => {
  const { parsed, read, fast } = both(
    ["Hello", " world", '"quoted"\n', "\u{1f600} ü", "\\", "last"].map((text) => chunk(text)),
  );
  expect(read).toEqual(parsed);
  // The first tells the id, too; the second is the pattern.
  expect(fast).toBe(4);
});

test("whatever the texts are, and whatever else changes, the parser would have said the same", () => {
  const piece = fc.record({
    text: fc.string({ unit: "binary" }),
    finish: fc.constantFrom(null, null, null, "stop"),
    print: fc.constantFrom("fp_1", "fp_1", "fp_2"),
    index: fc.constantFrom(0, 0, 1),
    logprobs: fc.constantFrom(undefined, undefined, { content: [] }),
  });
  const written = ({
    text,
    finish,
    print,
    index,
    logprobs,
  }: typeof piece extends fc.Arbitrary<infer T> ? T : never) =>
    JSON.stringify({
      id: text.length > 5 ? text : "c1",
      system_fingerprint: print,
      choices: [{ index, delta: { content: text }, finish_reason: finish, logprobs }],
    });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const { parsed, read } = both(pieces.map(written));
      expect(read).toEqual(parsed);
    }),
    { numRuns: 500 },
  );
});

test("a text that stands elsewhere in the chunk, too, is no pattern", () => {
  const stream = ["c1", "x", "c1"].map((text) => chunk(text));
  const fastPath = new TextChunkFastPath();
  fastPath.learn(stream[0] ?? "", [{ type: "text", text: "c1" }]);
  expect(matchOf(fastPath, stream[1] ?? "")).toBeUndefined();
});

test("what would end the string, or the chunk, is left to the parser", () => {
  const fastPath = new TextChunkFastPath();
  fastPath.learn(chunk("a"), [{ type: "text", text: "a" }]);
  const [before = "", behind = ""] = chunk("|").split("|");
  for (const inside of ['x"},"finish_reason":"stop","y":{"z":"', "\n", "\\", '"', "\\u12"]) {
    expect(matchOf(fastPath, before + inside + behind)).toBeUndefined();
  }
  expect(matchOf(fastPath, `${before}\\u00e9\\n${behind}`)).toEqual({ type: "text", text: "é\n" });
});
