import { afterAll, expect, test } from "bun:test";
import OpenAI from "openai";
import { closedGate } from "../support/gate.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * What a key may do, as its clients see it.
 * @module
 */
const gate = closedGate();
const USED = [say("Hello"), stop(), spent(100, 20)];
const ANSWERS = {
  hello: HELLO,
  used: USED,
  gated: [say("Wait"), { gate: gate.url }, stop()],
  broken: [{ fail: "bad-request", message: "no" } as const],
};
const KEYS = [
  { name: "minute", limits: { requests_per_minute: 50 } },
  { name: "two", limits: { concurrent_requests: 2 } },
  { name: "tokens", limits: { tokens_per_minute: 1_000, requests_per_day: 10 } },
  { name: "headers", limits: { requests_per_minute: 30, tokens_per_minute: 90_000 } },
  { name: "free" },
  { name: "earlier", limits: { requests_per_minute: 1 } },
  { name: "again", limits: { concurrent_requests: 1 } },
  { name: "budget", budget: { tokens: 120, per: "day" } },
  { name: "both", budget: { tokens: 120, per: "day" }, limits: { requests_per_minute: 5 } },
].map((settings) => ({ ...settings, key: keyOf(settings.name) }));
const gateway = await startScripted(ANSWERS, { yaml: `keys: ${JSON.stringify(KEYS)}\n` });
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await gate[Symbol.asyncDispose]();
});

function keyOf(name: string): string {
  return `sk-limits-${name}-0123456789`;
}

const messages = [{ role: "user" as const, content: "Well?" }];

function ask(name: string, body: object): Promise<Response> {
  return gateway.chat({ messages, ...body }, { headers: { authorization: `Bearer ${keyOf(name)}` } });
}

function models(name: string): Promise<Response> {
  return fetch(`${gateway.baseURL}/models`, { headers: { authorization: `Bearer ${keyOf(name)}` } });
}

async function errorOf(response: Response): Promise<Record<string, unknown>> {
  return ((await response.json()) as { error: Record<string, unknown> }).error;
}

test("of 200 concurrent streams exactly as many are answered as the limit says, and the others told when to come", async () => {
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => ask("minute", { model: "hello", stream: true })),
  );
  const refused = answers.filter(({ status }) => status === 429);
  const answered = answers.filter(({ status }) => status === 200);
  expect([answered.length, refused.length]).toEqual([50, 150]);
  for (const response of answered) expect(await response.text()).toContain("data: [DONE]");
  for (const response of refused) {
    expect(await errorOf(response)).toMatchObject({ code: "rate_limit_exceeded" });
    const wait = Number(response.headers.get("retry-after"));
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60);
    expect(response.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(response.headers.get("x-ratelimit-reset-requests")).toMatch(/^(1m0|\d+(\.\d+)?)s$/);
  }
});

test("concurrent requests are counted until each has ended, and the refused count for nothing", async () => {
  const streams = await Promise.all([1, 2].map(() => ask("two", { model: "gated", stream: true })));
  expect(streams.map(({ status }) => status)).toEqual([200, 200]);
  for (let i = 0; i < 5; i++) {
    const refused = await ask("two", { model: "hello" });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  }
  await streams[0]?.body?.cancel();
  const isAdmitted = async () => (await ask("two", { model: "hello" })).status === 200;
  await until(isAdmitted, "the place of the stream that was left");
  await streams[1]?.body?.cancel();
  await gateway.quiet();
});

test("tokens are reserved, and settled to what was used", async () => {
  const first = await ask("tokens", { model: "used", max_tokens: 900 });
  expect(first.status).toBe(200);
  await first.text();
  const left = async () => Number((await models("tokens")).headers.get("x-ratelimit-remaining-tokens"));
  await until(async () => (await left()) === 880, "the settlement of 120 tokens");
  const refused = await ask("tokens", { model: "used", max_tokens: 890 });
  expect(refused.status).toBe(429);
  expect(await errorOf(refused)).toMatchObject({ code: "rate_limit_exceeded" });
  expect(await left()).toBe(880);
  const never = await ask("tokens", { model: "used", max_tokens: 1_001 });
  expect(never.status).toBe(400);
  expect(await errorOf(never)).toMatchObject({ code: "invalid_value", param: "max_tokens" });
});

test("a refusal for good names the member as its client does", async () => {
  const headers = { authorization: `Bearer ${keyOf("tokens")}`, "content-type": "application/json" };
  const body = JSON.stringify({ model: "used", input: "Well?", max_output_tokens: 1_001 });
  const refused = await fetch(`${gateway.baseURL}/responses`, { method: "POST", headers, body });
  expect([refused.status, await errorOf(refused)]).toMatchObject([
    400,
    { param: "max_output_tokens", message: expect.stringContaining("a smaller max_output_tokens") },
  ]);
});

test("every answer to a key says what is left of its limits, and nothing of those that it has not", async () => {
  const names = ["limit", "remaining", "reset"].map((what) => `x-ratelimit-${what}`);
  const expected = ["requests", "tokens"].flatMap((kind) => names.map((name) => `${name}-${kind}`));
  const answers = [
    await ask("headers", { model: "hello" }),
    await ask("headers", { model: "hello", stream: true }),
    await ask("headers", { model: "broken" }),
    await ask("headers", { model: "unknown" }),
    await ask("headers", { model: "hello", messages: "wrong" }),
    await models("headers"),
  ];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 404, 400, 200]);
  for (const answer of answers) {
    await answer.text();
    for (const name of expected) expect([name, answer.headers.has(name)]).toEqual([name, true]);
    expect(answer.headers.get("x-ratelimit-limit-requests")).toBe("30");
  }
  // Only what was admitted counts: neither the unknown model nor the wrong body.
  expect(answers.at(-1)?.headers.get("x-ratelimit-remaining-requests")).toBe("27");
  const free = await ask("free", { model: "hello" });
  expect([...free.headers.keys()].filter((name) => name.startsWith("x-ratelimit"))).toEqual([]);
});

test("what was admitted before a restart counts, until its minute is over", async () => {
  gateway.gateway.limiter.restore("earlier", { ago: 57_500, tokens: 0 });
  const client = new OpenAI({ baseURL: gateway.baseURL, apiKey: keyOf("earlier"), maxRetries: 2 });
  const { data, response } = await client.chat.completions
    .create({ model: "hello", messages })
    .withResponse();
  expect(data.choices).toHaveLength(1);
  expect(response.headers.get("x-ratelimit-remaining-requests")).toBe("0");
}, 20_000);

test("the official client's retries get through as soon as there is a place", async () => {
  const running = await ask("again", { model: "gated", stream: true });
  const seen: number[] = [];
  const client = new OpenAI({
    baseURL: gateway.baseURL,
    apiKey: keyOf("again"),
    maxRetries: 5,
    fetch: async (...request) => {
      const response = await fetch(...(request as Parameters<typeof fetch>));
      seen.push(response.status);
      if (response.status === 429) await running.body?.cancel();
      return response;
    },
  });
  const answer = await client.chat.completions.create({ model: "hello", messages });
  expect(answer.choices).toHaveLength(1);
  expect(seen).toEqual([429, 200]);
}, 20_000);

test("a budget that is spent is insufficient_quota, and the official client doesn't insist", async () => {
  const first = await ask("budget", { model: "used" });
  expect(first.status).toBe(200);
  await first.text();
  await gateway.quiet();
  const refused = await ask("budget", { model: "used" });
  expect(refused.status).toBe(429);
  expect(await errorOf(refused)).toMatchObject({ code: "insufficient_quota" });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  const statuses: number[] = [];
  const client = new OpenAI({
    baseURL: gateway.baseURL,
    apiKey: keyOf("budget"),
    fetch: async (...request) => {
      const response = await fetch(...(request as Parameters<typeof fetch>));
      statuses.push(response.status);
      return response;
    },
  });
  const asked = client.chat.completions.create({ model: "used", messages });
  expect(await asked.catch((error: unknown) => error)).toBeInstanceOf(OpenAI.RateLimitError);
  expect(statuses).toEqual([429]);
});

test("what a spent budget refuses uses up nothing of the limits", async () => {
  await (await ask("both", { model: "used" })).text();
  await gateway.quiet();
  for (let nth = 0; nth < 3; nth++) {
    const refused = await ask("both", { model: "used" });
    expect(await errorOf(refused)).toMatchObject({ code: "insufficient_quota" });
    expect(refused.headers.get("x-ratelimit-remaining-requests")).toBe("4");
  }
});
