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
  async function* source(): AsyncGenerator<ChatEvent> {
    yield* events;
    if (failure) throw failure;
  }
  const seen: Seen = { events: [], finished: 0, late: [] };
  try {
    const options = {
      choices,
      finished: () => (seen.finished += 1),
      late: (error: unknown) => seen.late.push(error),
    };
    for await (const event of whole(source(), options)) seen.events.push(event);
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
