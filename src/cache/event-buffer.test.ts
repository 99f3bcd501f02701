import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ChatEvent } from "../contract/index.ts";
import type { BufferPosition } from "./event-buffer.ts";
import { BEGINNING, EventBuffer } from "./event-buffer.ts";

const text = fc.string({ maxLength: 40 });
const choice = fc.constantFrom(undefined, 1);
const event: fc.Arbitrary<ChatEvent> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("text" as const), text }) },
  fc.record({ type: fc.constant("text" as const), text, choice: fc.constant(1) }),
  fc.record({ type: fc.constant("reasoning" as const), text, block: fc.nat(1) }),
  fc.record({ type: fc.constant("reasoning" as const), text, signature: text }),
  fc.record({ type: fc.constant("tool-call" as const), index: fc.nat(1), id: text, name: text }),
  fc.record({ type: fc.constant("tool-call" as const), index: fc.nat(1), arguments: text }),
  fc.constant<ChatEvent>({ type: "extra", at: "choice", fields: { logprobs: { content: [1] } } }),
  fc.constant<ChatEvent>({ type: "usage", usage: { input: 3 } }),
  fc
    .record({ type: fc.constant("finish" as const), reason: fc.constant("stop" as const), choice })
    .map((finish) =>
      finish.choice === undefined
        ? { type: "finish" as const, reason: finish.reason }
        : (finish as ChatEvent),
    ),
);

/** What events say, however it is cut into pieces. */
function said(events: readonly ChatEvent[]): unknown[] {
  const all: { kind: string; piece: string }[] = [];
  for (const { ...rest } of events) {
    const { text: ofText, arguments: ofCall, ...fields } = rest as { text?: string; arguments?: string };
    const kind = JSON.stringify(fields);
    const piece = ofText ?? ofCall ?? "";
    const last = all.at(-1);
    if (last && (last.kind === kind || isStart(last.kind, kind))) last.piece += piece;
    else if (piece !== "" || !isPiece(kind)) all.push({ kind, piece });
  }
  return all;
}

const isPiece = (kind: string) => /"type":"(text|reasoning)"/.test(kind) && !kind.includes("signature");

/** Whether arguments of `kind` go on with the call that `first` began. */
function isStart(first: string, kind: string): boolean {
  const begun = JSON.parse(first) as ChatEvent;
  const more = JSON.parse(kind) as ChatEvent;
  return (
    begun.type === "tool-call" &&
    more.type === "tool-call" &&
    more.id === undefined &&
    begun.index === more.index
  );
}

describe("what was read", () => {
  test("is all that was said, in its order, wherever the reader stood when more came", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ batch: fc.array(event), reads: fc.boolean() })), (steps) => {
        const list = new EventBuffer();
        const read: ChatEvent[] = [];
        let place: BufferPosition = BEGINNING;
        const readAll = () => {
          for (;;) {
            const { batch, to } = list.read(place);
            place = to;
            if (batch.length === 0) return;
            read.push(...batch);
          }
        };
        for (const { batch, reads } of steps) {
          list.push(batch);
          if (reads) readAll();
        }
        readAll();
        expect(said(read)).toEqual(said(steps.flatMap(({ batch }) => batch)));
      }),
      { numRuns: 500 },
    );
  });

  test("can be let go, and what comes after it is still read", () => {
    fc.assert(
      fc.property(fc.array(fc.array(event)), (batches) => {
        const list = new EventBuffer();
        const read: ChatEvent[] = [];
        let place: BufferPosition = BEGINNING;
        for (const batch of batches) {
          list.push(batch);
          const next = list.read(place);
          read.push(...next.batch);
          list.drop((place = next.to));
        }
        expect(said(read)).toEqual(said(batches.flat()));
        expect(list.read(place).batch).toEqual([]);
      }),
    );
  });
});

describe("what is kept", () => {
  test("is little more than the text, however small its pieces", () => {
    const list = new EventBuffer();
    for (let nth = 0; nth < 10_000; nth++) list.push([{ type: "text", text: "word " }]);
    expect(list.size).toBeGreaterThan(50_000);
    expect(list.size).toBeLessThan(60_000);
  });

  test("is counted to nothing when all is let go", () => {
    const list = new EventBuffer();
    list.push([
      { type: "text", text: "x".repeat(10_000) },
      { type: "finish", reason: "stop" },
    ]);
    list.drop(list.end);
    expect(list.size).toBe(0);
  });

  test("is read a part at a time", () => {
    const list = new EventBuffer();
    for (let nth = 0; nth < 1_000; nth++) list.push([{ type: "text", text: "x".repeat(1_024) }]);
    const { batch } = list.read(BEGINNING);
    expect(batch.length).toBeLessThan(20);
  });

  test("is not changed by what comes later", () => {
    const list = new EventBuffer();
    list.push([{ type: "text", text: "a" }]);
    const { batch } = list.read(BEGINNING);
    list.push([{ type: "text", text: "b" }]);
    expect(batch).toEqual([{ type: "text", text: "a" }]);
  });
});
