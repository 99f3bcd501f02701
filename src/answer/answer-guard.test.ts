import { describe, expect, test } from "bun:test";
import type { Batches, ChatEvent, NextBatch } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { iterating, nextOf } from "../../test/support/batches.ts";
import type { AnswerFollower } from "./answer-guard.ts";
import { AnswerGuard } from "./answer-guard.ts";

const UNTOLD: AnswerFollower = {
  alive: () => undefined,
  finished: () => undefined,
  wentOn: () => undefined,
  failedLate: () => undefined,
  redact: (words) => words,
  over: (error) => error,
};

interface Seen {
  events: ChatEvent[];
  error?: unknown;
  finished: number;
  wentOn: number;
  late: unknown[];
}

async function run(
  events: ChatEvent[],
  { choices = 1, failure }: { choices?: number; failure?: Error } = {},
): Promise<Seen> {
  async function* source(): AsyncGenerator<ChatEvent[], void> {
    for (const event of events) yield [event];
    if (failure) throw failure;
  }
  const seen: Seen = { events: [], finished: 0, wentOn: 0, late: [] };
  try {
    const follower = {
      ...UNTOLD,
      finished: () => (seen.finished += 1),
      wentOn: () => (seen.wentOn += 1),
      failedLate: (error: unknown) => seen.late.push(error),
      over: (error: unknown) => error,
    };
    for await (const batch of iterating(new AnswerGuard(source(), { ...ONE, choices }, follower)))
      seen.events.push(...batch);
  } catch (error) {
    seen.error = error;
  }
  return seen;
}

const ONE = { choices: 1, mayBeNative: false };
const text: ChatEvent = { type: "text", text: "a" };
const finish: ChatEvent = { type: "finish", reason: "stop" };

test("an answer with its finish returns, and says once that only usage can follow", async () => {
  expect(await run([text, finish])).toEqual({ events: [text, finish], finished: 1, wentOn: 0, late: [] });
});

test("a finish that more follows is held until the source's end, which is told apart from a break", async () => {
  const events = [text, finish, text, finish];
  expect(await run(events)).toEqual({ events: [text, text, finish], finished: 1, wentOn: 1, late: [] });
  const failure = new Error("reset");
  expect(await run(events, { failure })).toMatchObject({ events: [text, text], error: failure, late: [] });
});

test("a stop before the first word is believed once the source has ended", async () => {
  expect(await run([finish])).toEqual({ events: [finish], finished: 0, wentOn: 0, late: [] });
  const failure = new Error("reset");
  expect(await run([finish], { failure })).toMatchObject({ events: [], error: failure, late: [] });
});

test("what was held is not said where it can't be: arguments that are no JSON", async () => {
  const call: ChatEvent = { type: "tool-call", index: 0, id: "a", name: "f", arguments: "{" };
  for (const failure of [undefined, new Error("reset")]) {
    const { events, error } = await run([call, finish], failure ? { failure } : {});
    expect([events, UpstreamError.is(error) && error.code]).toEqual([[call], "bad-response"]);
  }
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
  async function* endless(): AsyncGenerator<ChatEvent[], void> {
    yield [text, finish];
    for (;;) {
      told += 1;
      yield [{ type: "usage", usage: { output: told } }];
    }
  }
  const late: unknown[] = [];
  const follower = { ...UNTOLD, failedLate: (error: unknown) => late.push(error) };
  const events = (await Array.fromAsync(iterating(new AnswerGuard(endless(), ONE, follower)))).flat();
  expect([events[0], events.at(-1)]).toEqual([text, finish]);
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
  async function* source(): AsyncGenerator<ChatEvent[], void> {
    try {
      yield [{ type: "thought", text: "a" } as never];
    } finally {
      left = true;
    }
  }
  await expect(Array.fromAsync(iterating(new AnswerGuard(source(), ONE, UNTOLD)))).rejects.toThrow(
    "its `type` is unknown",
  );
  expect(left).toBe(true);
});

test("what came before a broken event in the same packet is still said", async () => {
  async function* source(): AsyncGenerator<ChatEvent[], void> {
    yield [text, { type: "thought" } as never];
  }
  const answer = new AnswerGuard(source(), ONE, UNTOLD);
  expect((await answer.next()).value).toEqual([text]);
  await expect(nextOf(answer)).rejects.toThrow("its `type` is unknown");
});

test("whoever leaves is told of once, and leaves the source", async () => {
  let left = 0;
  let ended = 0;
  const source = {
    next: async () => ({ done: false as const, value: [text] }),
    return: async () => (left += 1),
  };
  const answer = new AnswerGuard(source, ONE, { ...UNTOLD, over: () => (ended += 1) });
  expect((await answer.next()).value).toEqual([text]);
  await answer.return();
  expect(await answer.next()).toEqual({ done: true, value: undefined });
  await answer.return();
  expect([left, ended]).toEqual([1, 1]);
});

describe("the beginning", () => {
  const usage: ChatEvent = { type: "usage", usage: { input: 1 } };

  test("is all up to the first word, and is given with the rest", async () => {
    async function* source(): AsyncGenerator<ChatEvent[], void> {
      yield [usage];
      yield [text];
      yield [finish];
    }
    const answer = new AnswerGuard(source(), ONE, UNTOLD);
    await answer.begin();
    expect(await Array.fromAsync(iterating(answer))).toEqual([[usage], [text], [finish]]);
  });

  test("that is there at once needs no waiting, nor does what follows", () => {
    const batches: ChatEvent[][] = [[usage, text], [finish]];
    const next = (): NextBatch => {
      const value = batches.shift();
      return value ? { done: false, value } : { done: true, value: undefined };
    };
    const answer = new AnswerGuard({ next }, ONE, UNTOLD);
    expect(answer.begin()).toBeUndefined();
    expect([answer.next(), answer.next(), answer.next()]).toEqual([
      { done: false, value: [usage, text] },
      { done: false, value: [finish] },
      { done: true, value: undefined },
    ]);
  });

  test("that doesn't come is truncated", async () => {
    async function* source(): AsyncGenerator<ChatEvent[], void> {
      yield [usage];
    }
    await expect(new AnswerGuard(source(), ONE, UNTOLD).begin()).rejects.toThrow("ended without an answer");
  });

  test("that doesn't come though the source goes on and on is an error, and the source is left", async () => {
    let left = false;
    async function* source(): AsyncGenerator<ChatEvent[], void> {
      try {
        for (;;) yield [usage];
      } finally {
        left = true;
      }
    }
    await expect(new AnswerGuard(source(), ONE, UNTOLD).begin()).rejects.toThrow("doesn't begin");
    expect(left).toBe(true);
  });
});

describe("an abort", () => {
  /** A source that gives one text, and then keeps its reader waiting for ever. */
  function stuck(follower: Partial<AnswerFollower> = {}, said: ChatEvent[] = [text]) {
    let asked = 0;
    const seen = { returned: 0 };
    const source: Batches = {
      next: () =>
        asked++ === 0 ? Promise.resolve({ done: false, value: said }) : new Promise(() => undefined),
      return: () => {
        seen.returned += 1;
        return new Promise(() => undefined);
      },
    };
    return { answer: new AnswerGuard(source, ONE, { ...UNTOLD, ...follower }), seen };
  }

  test("ends the wait for a source that doesn't answer, and tells it to return once", async () => {
    const { answer, seen } = stuck();
    expect((await answer.next()).value).toEqual([text]);
    const waiting = nextOf(answer);
    answer.abort(new Error("the client left"));
    await expect(waiting).rejects.toThrow("the client left");
    await expect(nextOf(answer)).rejects.toThrow("the client left");
    await answer.return();
    expect(seen.returned).toBe(1);
  });

  test("between two reads tells the source to return although nobody waits", async () => {
    const { answer, seen } = stuck();
    await answer.next();
    answer.abort(new Error("deadline"));
    expect(seen.returned).toBe(1);
  });

  test("takes nothing from what has come before it", async () => {
    const { answer } = stuck();
    await answer.begin();
    answer.abort(new Error("deadline"));
    expect((await answer.next()).value).toEqual([text]);
    await expect(nextOf(answer)).rejects.toThrow("deadline");
  });

  test("costs an answer that is there at most the usage", async () => {
    const late: unknown[] = [];
    const reason = new Error("deadline");
    const { answer } = stuck({ failedLate: (error) => late.push(error) }, [text, finish]);
    await answer.next();
    const waiting = nextOf(answer);
    answer.abort(reason);
    expect(await waiting).toEqual({ done: false, value: [finish] });
    expect(await nextOf(answer)).toEqual({ done: true, value: undefined });
    expect(late).toEqual([reason]);
  });

  test("is why it ends, whatever the source throws because of it", async () => {
    const broken = Promise.withResolvers<never>();
    const answer = new AnswerGuard({ next: () => broken.promise }, ONE, UNTOLD);
    const waiting = nextOf(answer);
    answer.abort(new Error("deadline"));
    broken.reject(new Error("aborted, said the library"));
    await expect(waiting).rejects.toThrow("deadline");
  });
});

test("time counts as waiting only while the source is asked", async () => {
  const held = Promise.withResolvers<NextBatch>();
  let asked = 0;
  const next = (): NextBatch | Promise<NextBatch> =>
    asked++ === 0 ? { done: false, value: [text] } : held.promise;
  const answer = new AnswerGuard({ next }, ONE, UNTOLD);
  await answer.next();
  expect(answer.waiting).toBe(0);
  const waiting = nextOf(answer);
  while (answer.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  held.resolve({ done: false, value: [finish] });
  await waiting;
  expect(answer.waiting).toBe(0);
});

test("a source that throws at once, or gives no result, fails like any other", async () => {
  const throwing = {
    next: () => {
      throw new Error("at once");
    },
  };
  await expect(nextOf(new AnswerGuard(throwing, ONE, UNTOLD))).rejects.toThrow("at once");
  for (const nothing of [undefined, Promise.resolve(undefined)]) {
    const answer = new AnswerGuard({ next: () => nothing as never }, ONE, UNTOLD);
    await expect(nextOf(answer)).rejects.toThrow(TypeError);
  }
});

test("a source that says nothing at once, again and again, keeps nobody else waiting", () => {
  const answer = new AnswerGuard({ next: () => ({ done: false, value: [] }) }, ONE, UNTOLD);
  expect(() => answer.next()).toThrow("saying nothing");
});

test("a source whose return throws, or is no promise, is left all the same", async () => {
  const next = () => new Promise<never>(() => undefined);
  const inReturn = () => {
    throw new Error("in return");
  };
  for (const leave of [inReturn, () => ({ done: true }) as never]) {
    const answer = new AnswerGuard({ next, return: leave }, ONE, UNTOLD);
    const waiting = nextOf(answer);
    answer.abort(new Error("the client left"));
    await expect(waiting).rejects.toThrow("the client left");
  }
});
