import { expect, test } from "bun:test";
import type { ChatEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { whole } from "./whole.ts";

const UNTOLD = {
  choices: 1,
  finished: () => undefined,
  late: () => undefined,
  ended: (error: unknown) => error,
};

interface Seen {
  events: ChatEvent[];
  error?: unknown;
  finished: number;
  late: unknown[];
}

async function run(
  events: ChatEvent[],
  { choices = 1, failure }: { choices?: number; failure?: Error } = {},
): Promise<Seen> {
  async function* source(): AsyncGenerator<ChatEvent[]> {
    for (const event of events) yield [event];
    if (failure) throw failure;
  }
  const seen: Seen = { events: [], finished: 0, late: [] };
  try {
    const options = {
      choices,
      finished: () => (seen.finished += 1),
      late: (error: unknown) => seen.late.push(error),
      ended: (error: unknown) => error,
    };
    for await (const batch of whole({ head: [], rest: source() }, options)) seen.events.push(...batch);
  } catch (error) {
    seen.error = error;
  }
  return seen;
}

const text: ChatEvent = { type: "text", text: "a" };
const finish: ChatEvent = { type: "finish", reason: "stop" };

test("an answer with its finish returns, and says once that only usage can follow", async () => {
  expect(await run([text, finish])).toEqual({ events: [text, finish], finished: 1, late: [] });
});

test("a source that merely stops is truncated", async () => {
  for (const events of [[], [text], [finish, { ...text, choice: 1 }]]) {
    const { error } = await run(events);
    expect(UpstreamError.is(error) && error.code).toBe("truncated");
  }
});

test("a failure before the finish is thrown, one after it costs at most the usage", async () => {
  const failure = new Error("reset");
  expect((await run([text], { failure })).error).toBe(failure);
  const { error, late } = await run([text, finish], { failure });
  expect([error, late]).toEqual([undefined, [failure]]);
});

test("a failure while another choice is still to come is thrown", async () => {
  const failure = new Error("reset");
  expect((await run([text, finish], { choices: 2, failure })).error).toBe(failure);
});

test("an upstream that gives fewer choices than asked and ends is believed", async () => {
  expect((await run([text, finish], { choices: 2 })).error).toBeUndefined();
});

test("an upstream that goes on and on after its end is left, and the answer is whole", async () => {
  let told = 0;
  async function* endless(): AsyncGenerator<ChatEvent[]> {
    yield [text, finish];
    for (;;) {
      told += 1;
      yield [{ type: "usage", usage: { output: told } }];
    }
  }
  const late: unknown[] = [];
  const options = {
    choices: 1,
    finished: () => undefined,
    late: (error: unknown) => late.push(error),
    ended: (error: unknown) => error,
  };
  const events = (await Array.fromAsync(whole({ head: [], rest: endless() }, options))).flat();
  expect(events.slice(0, 2)).toEqual([text, finish]);
  expect(told).toBeLessThan(200);
  expect(late).toHaveLength(1);
});

test("a second answer that nobody asked for may be long, and counts", async () => {
  const unasked = Array.from({ length: 200 }, (): ChatEvent => ({ ...text, choice: 1 }));
  const { error, events } = await run([text, finish, ...unasked, { ...finish, choice: 1 }]);
  expect(error).toBeUndefined();
  expect(events).toHaveLength(203);
});

test("what is no event is an error, and the source is left", async () => {
  let left = false;
  async function* source(): AsyncGenerator<ChatEvent[]> {
    try {
      yield [{ type: "thought", text: "a" } as never];
    } finally {
      left = true;
    }
  }
  await expect(Array.fromAsync(whole({ head: [], rest: source() }, UNTOLD))).rejects.toThrow(
    "its `type` is unknown",
  );
  expect(left).toBe(true);
});

test("what came before a broken event in the same packet is still said", async () => {
  async function* source(): AsyncGenerator<ChatEvent[]> {
    yield [text, { type: "thought" } as never];
  }
  const answer = whole({ head: [], rest: source() }, UNTOLD);
  expect((await answer.next()).value).toEqual([text]);
  await expect(answer.next()).rejects.toThrow("its `type` is unknown");
});

test("what was looked at before comes first, and whoever leaves is told of once and leaves the source", async () => {
  let left = 0;
  let ended = 0;
  const rest = {
    next: async () => ({ done: false as const, value: [text] }),
    return: async () => {
      left += 1;
      return { done: true as const, value: undefined };
    },
  };
  const answer = whole({ head: [[text, text]], rest }, { ...UNTOLD, ended: () => (ended += 1) });
  expect((await answer.next()).value).toEqual([text, text]);
  expect((await answer.next()).value).toEqual([text]);
  await answer.return?.();
  expect(await answer.next()).toEqual({ done: true, value: undefined });
  expect([left, ended]).toEqual([1, 1]);
});
