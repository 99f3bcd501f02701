import { afterAll, expect, test } from "bun:test";
import { closedGate } from "../support/gate.ts";
import { say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * Client numbers that reach the sums of limits and budgets.
 * @module
 */
const gate = closedGate();
const GATED = [say("Wait"), { gate: gate.url }, stop(), spent(10, 10)];
const ANSWERS = {
  free: GATED,
  gated: GATED,
  short: GATED,
  quick: [say("Hello"), stop(), spent(10, 10)],
  dear: [say("Hello"), { gate: gate.url }, stop(), spent(0, 100)],
};
const PRICES = `version: "2026-01-01"
prices:
  - { model: free, input: 0, output: 0 }
  - { model: dear, input: 0, output: 20000 }
`;
const KEYS = [
  { name: "any" },
  { name: "dollars", budget: { usd: 5, per: "day" } },
  { name: "dollars2", budget: { usd: 5, per: "day" } },
  { name: "tokens", budget: { tokens: 100_000, per: "day" } },
  { name: "few", budget: { tokens: 10_000, per: "day" } },
  { name: "choices", budget: { tokens: 10_000, per: "day" } },
  { name: "minute", limits: { tokens_per_minute: 1_000 } },
  { name: "wide", limits: { tokens_per_minute: 50_000 } },
].map((settings) => ({ ...settings, key: keyOf(settings.name) }));
const gateway = await startScripted(ANSWERS, {
  yaml: `keys: ${JSON.stringify(KEYS)}\nprices: ./prices.yaml\n`,
  files: { "prices.yaml": PRICES },
  upstream: {
    options: { answers: ANSWERS, capabilities: { short: { output: 4_000 } } },
    limits: { tokens_per_minute: 60_000_000 },
  },
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await gate[Symbol.asyncDispose]();
});

function keyOf(name: string): string {
  return `sk-sums-${name}-0123456789`;
}

/** Resolves when nothing is held any more: words that the upstream didn't count are counted after the end. */
async function settled(): Promise<void> {
  await gateway.quiet();
  await gateway.gateway.settlements.settled();
}

const messages = [{ role: "user", content: "Well?" }];

/** `body` is written by hand: `JSON.stringify` has no Infinity. */
function send(name: string, body: string, path = "/v1/chat/completions"): Promise<Response> {
  const headers = { authorization: `Bearer ${keyOf(name)}`, "content-type": "application/json" };
  return fetch(`${gateway.url}${path}`, { method: "POST", headers, body });
}

function ask(name: string, body: object): Promise<Response> {
  return send(name, JSON.stringify({ messages, ...body }));
}

async function errorOf(response: Response): Promise<Record<string, unknown>> {
  return ((await response.json()) as { error: Record<string, unknown> }).error;
}

const NO_COUNTS = ["1e309", "-1e309", "1.5", "1e17", "-2", '"100"', "true", "[1]"];
const FIELDS = ["max_tokens", "max_completion_tokens"];

test.each(FIELDS.flatMap((field) => NO_COUNTS.map((value) => [field, value] as const)))(
  "%s: %s is refused, naming the field",
  async (field, value) => {
    const chat = `{"model":"quick","messages":[{"role":"user","content":"Hi"}],"${field}":${value}}`;
    const text = `{"model":"quick","prompt":"Hi","${field}":${value}}`;
    for (const response of [await send("any", chat), await send("any", text, "/v1/completions")]) {
      expect(response.status).toBe(400);
      const error = await errorOf(response);
      expect(error).toMatchObject({ code: "invalid_value", param: field });
      expect(error["message"]).toContain(`${field}: expected integer from -1 to 9007199254740991 or null`);
    }
  },
);

test.each(["1e309", "1.5", "0", "1000", '"2"'])("best_of: %s is refused, naming the field", async (value) => {
  const response = await send("any", `{"model":"quick","prompt":"Hi","best_of":${value}}`, "/v1/completions");
  expect([response.status, (await errorOf(response))["param"]]).toEqual([400, "best_of"]);
});

test.each([null, -1, 0, 1, 1e15])("max_tokens: %p is answered", async (value) => {
  const response = await ask("any", { model: "quick", max_tokens: value });
  expect(response.status).toBe(200);
  await response.text();
});

test("no max_tokens of another request lets a key spend more than its budget holds", async () => {
  const statuses = async (name: string) => {
    const answers = await Promise.all(
      Array.from({ length: 80 }, () => ask(name, { model: "dear", stream: true, max_tokens: 100 })),
    );
    for (const answer of answers) await answer.body?.cancel();
    return answers.filter(({ status }) => status === 200).length;
  };
  // Each may cost $2 of $5.
  expect(await statuses("dollars2")).toBe(3);
  const infinite = await send(
    "dollars",
    `{"model":"free","stream":true,"messages":[{"role":"user","content":"Hi"}],"max_tokens":1e309}`,
  );
  expect(infinite.status).toBe(400);
  await infinite.text();
  const huge = await ask("dollars", { model: "free", stream: true, max_tokens: 1e15 });
  expect(huge.status).toBe(200);
  expect(await statuses("dollars")).toBe(3);
  await huge.body?.cancel();
  await settled();
});

test.each([
  ["tokens", { model: "gated", max_tokens: 999_999_999 }],
  ["tokens", { model: "gated", max_completion_tokens: 1e15 }],
  ["few", { model: "short", max_tokens: 999_999_999 }],
  ["few", { model: "short", max_tokens: 999_999_999, n: 2 }],
] as const)("the key %s is served while its request %j runs", async (name, body) => {
  const running = await ask(name, { ...body, stream: true });
  expect(running.status).toBe(200);
  const other = await ask(name, { model: "quick", max_tokens: 10 });
  expect([other.status, await other.text()]).toEqual([200, expect.stringContaining("Hello")]);
  await running.body?.cancel();
  await settled();
});

test("each choice may be as long as the model's longest answer", async () => {
  const running = await ask("choices", { model: "short", max_tokens: 1e9, n: 3, stream: true });
  expect(running.status).toBe(200);
  const other = await ask("choices", { model: "quick" });
  expect([other.status, (await errorOf(other))["code"]]).toEqual([429, "rate_limit_exceeded"]);
  await running.body?.cancel();
  await settled();
});

test("of two bounds the larger one is reserved: nobody knows which one the upstream goes by", async () => {
  const left = async (body: object) => {
    const running = await ask("minute", { model: "gated", stream: true, ...body });
    const remaining = Number(running.headers.get("x-ratelimit-remaining-tokens"));
    await running.body?.cancel();
    await until(async () => {
      const models = await fetch(`${gateway.url}/v1/models`, {
        headers: { authorization: `Bearer ${keyOf("minute")}` },
      });
      return Number(models.headers.get("x-ratelimit-remaining-tokens")) > 900;
    }, "the settlement");
    return remaining;
  };
  const larger = await left({ max_tokens: 900 });
  expect(await left({ max_completion_tokens: 1, max_tokens: 900 })).toBeLessThanOrEqual(larger);
  expect(await left({ max_completion_tokens: 900, max_tokens: 1 })).toBeLessThanOrEqual(larger);
});

test("a bound that no model reaches asks for no more of a minute than an answer can take", async () => {
  const response = await ask("wide", { model: "quick", max_tokens: 999_999_999 });
  expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("Hello")]);
});
