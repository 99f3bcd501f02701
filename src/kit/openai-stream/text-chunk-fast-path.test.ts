import { expect, test } from "bun:test";
import fc from "fast-check";
import type { ChatEvent } from "../../contract/index.ts";
import { ChunkReader } from "./chunk-reader.ts";
import { TwinChunk } from "./text-chunk-fast-path.ts";

const chunk = (content: string, more: object = {}) =>
  JSON.stringify({ id: "c1", model: "m", choices: [{ index: 0, delta: { content }, ...more }] });

/** What a twin says of a chunk that stands between others. */
function twinOf(twin: TwinChunk, data: string): ChatEvent | undefined {
  const [ahead, line, next] = ["data: {}\n\n", `data: ${data}\n\n`, "data: [DONE]\n\n"];
  const end = twin.endOf(ahead + line + next, ahead.length);
  if (end === ahead.length) return undefined;
  expect(end).toBe(ahead.length + line.length);
  return twin.read(ahead + line + next, ahead.length, end);
}

/** What the parser says of each chunk of a stream, and what is said when twins are read as such. */
function both(stream: readonly string[]): { parsed: ChatEvent[]; read: ChatEvent[]; twins: number } {
  const [plain, beside, twin] = [new ChunkReader(), new ChunkReader(), new TwinChunk()];
  const [parsed, read]: [ChatEvent[], ChatEvent[]] = [[], []];
  let twins = 0;
  for (const data of stream) {
    parsed.push(...plain.read(JSON.parse(data)).events);
    const event = twinOf(twin, data);
    if (event) {
      twins += 1;
      read.push(event);
      continue;
    }
    const { events } = beside.read(JSON.parse(data));
    twin.learn(data, events);
    read.push(...events);
  }
  return { parsed, read, twins };
}

test("chunks that differ in their text alone are read without parsing, and say the same", () => {
  const { parsed, read, twins } = both(
    ["Hello", " world", '"quoted"\n', "\u{1f600} ü", "\\", "last"].map((text) => chunk(text)),
  );
  expect(read).toEqual(parsed);
  // The first tells the id, too; the second is the pattern.
  expect(twins).toBe(4);
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
  const twin = new TwinChunk();
  twin.learn(stream[0] ?? "", [{ type: "text", text: "c1" }]);
  expect(twinOf(twin, stream[1] ?? "")).toBeUndefined();
});

test("what would end the string, or the chunk, is left to the parser", () => {
  const twin = new TwinChunk();
  twin.learn(chunk("a"), [{ type: "text", text: "a" }]);
  const [before = "", behind = ""] = chunk("|").split("|");
  for (const inside of ['x"},"finish_reason":"stop","y":{"z":"', "\n", "\\", '"', "\\u12"]) {
    expect(twinOf(twin, before + inside + behind)).toBeUndefined();
  }
  expect(twinOf(twin, `${before}\\u00e9\\n${behind}`)).toEqual({ type: "text", text: "é\n" });
});
