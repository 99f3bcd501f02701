import { expect, test } from "bun:test";
import type { ChatEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { whole } from "./whole.ts";

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
    };
    for await (const batch of whole(source(), options)) seen.events.push(...batch);
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
  const options = { choices: 1, finished: () => undefined, late: (error: unknown) => late.push(error) };
  const events = (await Array.fromAsync(whole(endless(), options))).flat();
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
  const options = { choices: 1, finished: () => undefined, late: () => undefined };
  await expect(Array.fromAsync(whole(source(), options))).rejects.toThrow("its `type` is unknown");
  expect(left).toBe(true);
});

test("what came before a broken event in the same packet is still said", async () => {
  async function* source(): AsyncGenerator<ChatEvent[]> {
    yield [text, { type: "thought" } as never];
  }
  const options = { choices: 1, finished: () => undefined, late: () => undefined };
  const answer = whole(source(), options);
  expect((await answer.next()).value).toEqual([text]);
  await expect(answer.next()).rejects.toThrow("its `type` is unknown");
});
