import { expect, test } from "bun:test";
import fc from "fast-check";
import type { CanonicalEvent } from "../contract/index.ts";
import { EventNormalizer } from "./event-normalizer.ts";

function tidied(...events: CanonicalEvent[]): CanonicalEvent[] {
  const tidy = new EventNormalizer();
  return [...events.flatMap((event) => tidy.push(event) ?? []), ...tidy.release()];
}

test("a call's id and name stand in its first event only", () => {
  expect(
    tidied(
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: "{" },
      { type: "tool-call", index: 0, id: "a", name: "f", arguments: "}" },
    ),
  ).toEqual([
    { type: "tool-call", index: 0, id: "a", name: "f", arguments: "{" },
    { type: "tool-call", index: 0, arguments: "}" },
  ]);
});

test("calls that an upstream all numbers 0 are told apart by their ids", () => {
  const events = tidied(
    { type: "tool-call", index: 0, id: "a", name: "f", arguments: "1" },
    { type: "tool-call", index: 0, id: "b", name: "g", arguments: "2" },
  );
  expect(events.map((event) => (event.type === "tool-call" ? [event.index, event.id] : []))).toEqual([
    [0, "a"],
    [1, "b"],
  ]);
});

test("a call without an id gets one, and arguments that come before the name wait for it", () => {
  const [event, ...more] = tidied(
    { type: "tool-call", index: 7, arguments: '{"x"' },
    { type: "tool-call", index: 7, name: "f", arguments: ":1}" },
  );
  expect(more).toEqual([]);
  expect(event).toMatchObject({
    index: 0,
    name: "f",
    arguments: '{"x":1}',
    id: expect.stringMatching(/^call_/),
  });
});

test("a call that never gets a name is an error and not a call lost", () => {
  const unnamed: CanonicalEvent = { type: "tool-call", index: 0, id: "a", arguments: "{}" };
  expect(() => tidied(unnamed, { type: "finish", reason: "tool_calls" })).toThrow("without naming it");
  const endless = Array.from({ length: 20 }, () => ({ ...unnamed, arguments: "x".repeat(100_000) }));
  expect(() => tidied(...endless)).toThrow("without naming it");
});

test("an answer that called tools ends with tool_calls", () => {
  const events = tidied(
    { type: "tool-call", index: 0, id: "a", name: "f", arguments: "{}" },
    { type: "finish", reason: "stop" },
    { type: "usage", usage: { output: 1 } },
  );
  expect(events.slice(1)).toEqual([
    { type: "usage", usage: { output: 1 } },
    { type: "finish", reason: "tool_calls" },
  ]);
});

test("what comes behind a finish comes before it, and the last finish counts", () => {
  const late: CanonicalEvent = { type: "text", text: "late" };
  const logprobs: CanonicalEvent = { type: "extra", at: "choice", fields: { logprobs: {} } };
  expect(
    tidied({ type: "finish", reason: "stop" }, late, logprobs, { type: "finish", reason: "length" }),
  ).toEqual([late, logprobs, { type: "finish", reason: "length" }]);
  expect(tidied({ type: "finish", reason: "length" }, { type: "finish", reason: "stop" })).toEqual([
    { type: "finish", reason: "length" },
  ]);
});

test("choices are finished one by one", () => {
  const tidy = new EventNormalizer();
  tidy.push({ type: "text", text: "a" });
  tidy.push({ type: "text", text: "b", choice: 1 });
  tidy.push({ type: "finish", reason: "stop" });
  expect(tidy.complete).toBe(false);
  tidy.push({ type: "finish", reason: "stop", choice: 1 });
  expect([tidy.complete, tidy.finished]).toEqual([true, 2]);
});

test("a finish is reliable unless its choice went on behind one, or stopped before its first word", () => {
  const stop: CanonicalEvent = { type: "finish", reason: "stop" };
  const text: CanonicalEvent = { type: "text", text: "a" };
  const reliable = (...events: CanonicalEvent[]): boolean => {
    const tidy = new EventNormalizer();
    for (const event of events) tidy.push(event);
    return tidy.isReliable;
  };
  expect(reliable(text, stop)).toBe(true);
  expect(reliable({ type: "finish", reason: "content_filter" })).toBe(true);
  expect(reliable(stop)).toBe(false);
  expect(reliable(text, stop, { type: "text", text: "" })).toBe(true);
  expect(reliable(text, stop, text, stop)).toBe(false);
  expect(reliable(text, stop, { ...stop, choice: 1 })).toBe(false);
});

test("the calls of all choices have different ids", () => {
  const call: CanonicalEvent = { type: "tool-call", index: 0, id: "a", name: "f", arguments: "{}" };
  const stop: CanonicalEvent = { type: "finish", reason: "stop" };
  const events = tidied(call, { ...call, index: 1 }, { ...call, choice: 1 }, stop, { ...stop, choice: 1 });
  const ids = events.flatMap((event) => (event.type === "tool-call" ? [event.id] : []));
  expect([ids[0], new Set(ids).size]).toEqual(["a", 3]);
});

test("a call without arguments gets an empty object at the end, in its own choice", () => {
  const events = tidied(
    { type: "tool-call", index: 3, id: "a", name: "f", choice: 1 },
    { type: "finish", reason: "stop", choice: 1 },
  );
  expect(events.slice(1)).toEqual([
    { type: "tool-call", index: 0, arguments: "{}", choice: 1 },
    { type: "finish", reason: "tool_calls", choice: 1 },
  ]);
});

test("arguments of more than 64 MiB are the upstream's fault", () => {
  const tidy = new EventNormalizer();
  tidy.push({ type: "tool-call", index: 0, id: "a", name: "f", arguments: '"' });
  const piece: CanonicalEvent = { type: "tool-call", index: 0, arguments: "x".repeat(2 ** 24) };
  expect(() => {
    for (let count = 0; count < 5; count++) tidy.push(piece);
  }).toThrow("64 MiB");
});

test("fields that come before a call's name come with it", () => {
  const [event] = tidied(
    { type: "tool-call", index: 0, id: "a", fields: { x: 1 } },
    { type: "tool-call", index: 0, name: "f", fields: { y: 2 }, arguments: "{}" },
  );
  expect(event).toMatchObject({ id: "a", name: "f", fields: { x: 1, y: 2 } });
});

test("any split and any interleaving of calls re-assembles to the same calls", () => {
  const call = fc.record({ name: fc.string({ minLength: 1 }), arguments: fc.json() });
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.nat(7)),
      (calls, choose) => {
        const left = calls.map(({ arguments: text }) => Array.from(text));
        const begun = new Set<number>();
        const events: CanonicalEvent[] = [];
        const dice = choose[Symbol.iterator]();
        const roll = (): number => dice.next().value ?? 0;
        while (begun.size < calls.length || left.some((rest) => rest.length > 0)) {
          const open = calls.flatMap((_, index) =>
            !begun.has(index) || left[index]!.length > 0 ? [index] : [],
          );
          const index = open[roll() % open.length]!;
          const piece = left[index]!.splice(0, roll()).join("");
          const first = !begun.has(index) && { id: `call_${index}`, name: calls[index]!.name };
          begun.add(index);
          events.push({ type: "tool-call", index, ...first, arguments: piece });
        }
        const whole = new Map<string, { index: number; arguments: string }>();
        const ids: string[] = [];
        for (const event of tidied(...events)) {
          if (event.type !== "tool-call") continue;
          if (event.id) ids[event.index] = event.id;
          const id = ids[event.index]!;
          const before = whole.get(id)?.arguments ?? "";
          whole.set(id, { index: event.index, arguments: before + (event.arguments ?? "") });
        }
        calls.forEach((expected, index) => {
          expect(whole.get(`call_${index}`)?.arguments).toBe(expected.arguments);
        });
        expect([...whole.values()].map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(
          calls.map((_, index) => index),
        );
      },
    ),
  );
});
