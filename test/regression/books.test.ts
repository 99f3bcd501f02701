import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { BudgetSettings } from "../../config/settings.ts";
import { closedGate } from "../support/gate.ts";
import type { ScriptedGateway } from "../support/scripted-gateway.ts";
import { say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * For every kind of end, what a budget has spent in memory is what is rebuilt of it from the ledger.
 * @module
 */
const BUDGET: BudgetSettings = { usd: 1_000_000, tokens: 1_000_000, per: "month" };
const PRICES = `version: "1"
prices: [{ model: "*", input: 1000000, output: 3000000 }]
`;
/** One for each kind in which several requests share an answer. */
const GATES = new Map(
  ["followers", "left payer", "left follower", "all left"].map((name) => [name, closedGate()]),
);
const ANSWERS = {
  good: [say("Hello"), stop(), spent(10, 5)],
  untold: [say("Hello"), stop()],
  refused: [{ fail: "bad-request", message: "no" } as const],
  "told and refused": [spent(10, 5), { fail: "bad-request", message: "no" } as const],
  broken: [say("Hello"), spent(10, 7), { fail: "failed", message: "no" } as const],
  "broken untold": [say("Hello, world"), { fail: "failed", message: "no" } as const],
  silent: [{ hang: true } as const],
  "told and silent": [spent(10, 1), { hang: true } as const],
  queued: [{ queue: true } as const],
  stalls: [say("Hello"), { hang: true } as const],
  ...Object.fromEntries(
    [...GATES].map(([name, { url }]) => [name, [say("Hello"), { gate: url }, stop(), spent(10, 5)]]),
  ),
};
const keyOf = (name: string) => `sk-books-${name.replaceAll(" ", "-")}-0123456789`;
let gateway: ScriptedGateway;
beforeAll(async () => {
  const keys = Object.keys(RUNS).map((name) => ({
    name,
    key: keyOf(name),
    budget: BUDGET,
    limits: name === "limited" ? { requests_per_minute: 1 } : {},
  }));
  gateway = await startScripted(ANSWERS, {
    yaml: `keys: ${JSON.stringify(keys)}\nprices: ./prices.yaml\ncache: { mode: deterministic }\n`,
    files: { "prices.yaml": PRICES },
    upstream: { timeouts: { queue: "400ms", first_event: "400ms", idle: "400ms" } },
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const gate of GATES.values()) await gate[Symbol.asyncDispose]();
});

function ask(name: string, body: object, signal?: AbortSignal): Promise<Response> {
  return gateway.chat(
    { messages: [{ role: "user", content: `Well, ${name}?` }], stream: true, ...body },
    { headers: { authorization: `Bearer ${keyOf(name)}` }, ...(signal && { signal }) },
  );
}

const read = async (response: Promise<Response>) => (await response).text();

/** Asks, and leaves as soon as the upstream has been asked. */
async function leaveEarly(name: string, model: string): Promise<void> {
  const before = gateway.status().begun;
  const leaving = new AbortController();
  const asked = ask(name, { model }, leaving.signal).catch(() => undefined);
  await until(() => gateway.status().begun > before, "the call to the upstream");
  leaving.abort();
  await asked;
}

/** A streamed answer that several requests share; `whom` of them leave after its first word. */
async function shared(name: string, count: number, whom: readonly number[]): Promise<void> {
  const body = { model: name, temperature: 0 };
  const first = await ask(name, body);
  const others = await Promise.all(Array.from({ length: count - 1 }, () => ask(name, body)));
  const answers = [first, ...others];
  expect(answers.map(({ headers }) => headers.get("x-modelyard-cache"))).toEqual([
    "miss",
    ...others.map(() => "follow"),
  ]);
  for (const nth of whom) await answers[nth]?.body?.cancel();
  await until(() => gateway.gateway.inFlight.running === count - whom.length, "those who left to be gone");
  if (whom.length === count) return;
  GATES.get(name)?.open();
  for (const [nth, answer] of answers.entries()) if (!whom.includes(nth)) await answer.text();
}

/** How each kind comes about. */
const RUNS: Readonly<Record<string, () => Promise<unknown>>> = {
  finished: () => read(ask("finished", { model: "good" })),
  untold: () => read(ask("untold", { model: "untold" })),
  plain: () => read(ask("plain", { model: "good", stream: false })),
  refused: () => read(ask("refused", { model: "refused" })),
  "told and refused": () => read(ask("told and refused", { model: "told and refused" })),
  broken: () => read(ask("broken", { model: "broken" })),
  "broken untold": () => read(ask("broken untold", { model: "broken untold" })),
  limited: async () => {
    await read(ask("limited", { model: "good" }));
    expect((await ask("limited", { model: "good" })).status).toBe(429);
  },
  "left in the queue": () => leaveEarly("left in the queue", "queued"),
  "queue full": () => read(ask("queue full", { model: "queued" })),
  "left silent": () => leaveEarly("left silent", "silent"),
  "left told": () => leaveEarly("left told", "told and silent"),
  "left in the middle": async () => (await ask("left in the middle", { model: "stalls" })).body?.cancel(),
  deadline: () => read(ask("deadline", { model: "silent" })),
  "deadline in the middle": () => read(ask("deadline in the middle", { model: "stalls" })),
  hit: async () => {
    await read(ask("hit", { model: "good", temperature: 0 }));
    for (let nth = 0; nth < 3; nth++) {
      const hit = await ask("hit", { model: "good", temperature: 0, stream: nth > 1 });
      expect(hit.headers.get("x-modelyard-cache")).toBe("hit");
      await hit.text();
    }
  },
  followers: () => shared("followers", 3, []),
  "left payer": () => shared("left payer", 3, [0]),
  "left follower": () => shared("left follower", 3, [1]),
  "all left": () => shared("all left", 2, [0, 1]),
  "failed followers": () =>
    Promise.all([1, 2, 3].map(() => read(ask("failed followers", { model: "told and refused", seed: 1 })))),
  embedding: async () => {
    const response = await fetch(`${gateway.baseURL}/embeddings`, {
      method: "POST",
      headers: { authorization: `Bearer ${keyOf("embedding")}` },
      body: JSON.stringify({ model: "good", input: "a text" }),
    });
    expect(response.status).toBe(400);
    await response.text();
  },
  shutdown: async () => {
    const running = [
      await ask("shutdown", { model: "stalls" }),
      ask("shutdown", { model: "silent" }),
    ] as const;
    await until(() => gateway.status().running === 2, "both at the upstream");
    gateway.gateway.inFlight.abort(new Error("the process ends") as never);
    await running[0].text();
    await read(running[1]);
  },
};

/** The tokens that a kind is charged; a range where words are counted. */
const CHARGED: Readonly<Record<string, readonly [least: number, most: number]>> = {
  finished: [15, 15],
  plain: [15, 15],
  refused: [0, 0],
  "told and refused": [15, 15],
  broken: [17, 17],
  limited: [15, 15],
  "left in the queue": [0, 0],
  "queue full": [0, 0],
  "left told": [11, 11],
  hit: [15, 15],
  followers: [15, 15],
  "left payer": [15, 15],
  "left follower": [15, 15],
  "failed followers": [15, 45],
  embedding: [0, 0],
};

describe("a budget in memory is the budget that the ledger rebuilds", () => {
  test.each(Object.keys(RUNS))("%s", async (name) => {
    await RUNS[name]?.();
    await gateway.quiet();
    await gateway.gateway.settlements.settled();
    gateway.gateway.ledger.flush();
    const inMemory = gateway.gateway.budgets.standing(name, BUDGET).spent;
    const [row] = await gateway.gateway.usage.usage({ by: "key", key: name });
    const rebuilt = { usd: row?.cost ?? 0, tokens: (row?.input ?? 0) + (row?.output ?? 0) };
    expect(inMemory).toEqual(rebuilt);
    // Prompts here have between 5 and 40 tokens, and answers at most 10.
    const [least, most] = CHARGED[name] ?? [5, 100];
    expect(inMemory.tokens).toBeWithin(least, most + 1);
  });
});
