import { expect, test } from "bun:test";
import type { Batches, CanonicalEvent, ChatEvent, NativeEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import type { AnswerFollower } from "./answer-guard.ts";
import { AnswerGuard } from "./answer-guard.ts";
import { batchesOf } from "./batches.ts";
import { PlainAnswer } from "./plain-answer.ts";

/**
 * Answers in frames of the client's own API.
 * @module
 */

const EXPECTED = { choices: 1, mayBeNative: true };
const FOLLOWER: AnswerFollower = {
  alive: () => undefined,
  finished: () => undefined,
  wentOn: () => undefined,
  failedLate: () => undefined,
  redact: (words: string) => words,
  over: (failure) => failure,
};

const text: CanonicalEvent = { type: "text", text: "a" };
const finish: CanonicalEvent = { type: "finish", reason: "stop" };
const usage: CanonicalEvent = { type: "usage", usage: { input: 1 } };

function frame(data: string, ...events: CanonicalEvent[]): NativeEvent {
  return { type: "native", name: "x", data, events };
}

async function* saying(events: readonly unknown[], failure?: Error): AsyncGenerator<ChatEvent> {
  yield* events as ChatEvent[];
  if (failure) throw failure;
}

function guarded(events: readonly unknown[], failure?: Error, expected = EXPECTED): AnswerGuard {
  return new AnswerGuard(batchesOf(saying(events, failure)), expected, FOLLOWER);
}

/** What comes of an answer until it ends or fails. */
async function read(answer: Batches): Promise<{ events: ChatEvent[]; error?: unknown }> {
  const events: ChatEvent[] = [];
  try {
    for (let next = await answer.next(); !next.done; next = await answer.next()) events.push(...next.value);
  } catch (error) {
    return { events, error };
  }
  return { events };
}

test("frames come in their order, each with its events, and that of the finish at the end", async () => {
  const frames = [frame("start", usage), frame("word", text), frame("mark"), frame("end", usage, finish)];
  expect(await read(guarded(frames))).toEqual({ events: frames });
});

test("a frame without a word commits nothing, and waits for the one that does", async () => {
  const failure = new UpstreamError("unavailable", "busy");
  const waiting = guarded([frame("start", usage), frame("mark")], failure);
  await expect(async () => waiting.begin()).toThrow("busy");
  expect(waiting.usage).toEqual({ input: 1 });
  const begun = guarded([frame("start", usage), frame("word", text)], failure);
  await begun.begin();
  expect((await read(begun)).events).toEqual([frame("start", usage), frame("word", text)]);
});

test("an answer that breaks off has had every frame but that of its finish", async () => {
  const broken = guarded([frame("word", text), frame("reason", usage)], undefined);
  const { events, error } = await read(broken);
  expect(events).toEqual([frame("word", text), frame("reason", usage)]);
  expect(error).toMatchObject({ code: "truncated" });
});

test("a frame goes out only if all its events are good", async () => {
  const bad = { type: "text", text: 1 } as unknown as CanonicalEvent;
  const { events, error } = await read(guarded([frame("word", text), frame("bad", text, bad)]));
  expect(events).toEqual([frame("word", text)]);
  expect(error).toBeInstanceOf(TypeError);
});

test("what the finish lacks comes with its frame, and a call that can't be run has none", async () => {
  const call: CanonicalEvent = { type: "tool-call", index: 0, id: "c", name: "f", arguments: "" };
  const { events } = await read(guarded([frame("call", call), frame("end", finish)]));
  expect(events.at(-1)).toEqual(
    frame("end", { type: "tool-call", index: 0, arguments: "{}" }, { ...finish, reason: "tool_calls" }),
  );
  const half = { ...call, arguments: `{"a` };
  const broken = await read(guarded([frame("call", half), frame("end", finish)]));
  expect(broken.events).toEqual([frame("call", half)]);
  expect(broken.error).toMatchObject({ code: "bad-response" });
});

test("frames behind the finish wait with it, and too many of them are the upstream's fault", async () => {
  const few = [frame("word", text), frame("end", finish), frame("late")];
  expect((await read(guarded(few))).events).toEqual([
    frame("word", text),
    frame("end"),
    frame("late", finish),
  ]);
  const { error } = await read(guarded([...few, ...Array<NativeEvent>(100).fill(frame("more", text))]));
  expect(String(error)).toContain("goes on after its end");
});

test.each([
  ["within a frame", { ...frame("outer"), events: [frame("inner", text)] }],
  ["without events", { type: "native", name: "x", data: "{}" }],
  ["with a name of two lines", { ...frame("{}", text), name: "a\nb" }],
  ["without data", { ...frame("{}", text), data: undefined }],
])("a frame %s is in no contract", async (_, event) => {
  expect(String((await read(guarded([event]))).error)).toContain("not in the contract");
});

test("a frame is no answer to a client of another API", async () => {
  const { error } = await read(guarded([frame("word", text)], undefined, { choices: 1, mayBeNative: false }));
  expect(String(error)).toContain("not in the contract");
});

test("a plain answer has its document and the events that this stands for", async () => {
  const document: NativeEvent = { ...frame("{}", text, usage, finish), name: "document" };
  const events = [{ done: false, value: [document] } as const, { done: true, value: undefined } as const];
  const answer = new PlainAnswer({
    next: () => events.shift() ?? { done: true, value: undefined },
    return: () => Promise.resolve(),
  });
  expect(await answer.next()).toEqual({ done: false, value: [text, finish] } as never);
  expect(answer.document).toBe("{}");
});
