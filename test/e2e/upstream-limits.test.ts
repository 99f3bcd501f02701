import { afterAll, expect, test } from "bun:test";
import { closedGate } from "../support/gate.ts";
import { HELLO, say, spent, stop } from "../support/scripted-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";

/**
 * What the gateway asks of an upstream at most.
 * @module
 */
const gate = closedGate();
const USED = [say("Hello"), stop(), spent(100, 200)];
const ROUTES =
  "routes: [{ model: shared, targets: [{ upstream: narrow, model: m }, { upstream: wide, model: m }] }]\n";
const upstreams = {
  narrow: {
    answers: { m: [say("narrow"), { gate: gate.url }, stop()], only: [say("a"), { gate: gate.url }, stop()] },
    limits: { concurrent_requests: 1 },
  },
  wide: { answers: { m: [say("wide"), stop()] } },
  metered: { answers: { used: USED, small: HELLO }, limits: { tokens_per_minute: 700 } },
} as const;
const gateway = await startSeveral(upstreams, ROUTES);
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await gate[Symbol.asyncDispose]();
});

const ask = (model: string, more: object = {}) =>
  gateway.chat({ model, messages: [{ role: "user", content: "Well?" }], ...more });

test("an upstream at its limit passes requests on to the next target, and alone is a 429", async () => {
  const first = await ask("shared", { stream: true });
  expect(first.headers.get("x-modelyard-upstream")).toBe("narrow");
  const second = await ask("shared");
  expect(second.headers.get("x-modelyard-upstream")).toBe("wide");
  expect(second.headers.get("x-modelyard-attempts")).toBe("1");

  const refused = await ask("narrow/only");
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(await refused.json()).toMatchObject({
    error: { code: "rate_limit_exceeded", message: expect.stringContaining("at its rate limit") },
  });

  gate.open();
  await first.text();
  await gateway.quiet();
  const again = await ask("narrow/only");
  expect(again.status).toBe(200);
  await again.text();
});

test("an upstream's tokens are reserved by an estimate, and settled with what it says", async () => {
  // 500 are reserved for an answer that isn't bounded, and 300 were used: the second doesn't fit any more.
  expect((await ask("metered/used")).status).toBe(200);
  const refused = await ask("metered/used", { max_tokens: 500 });
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
  // A smaller one does.
  expect((await ask("metered/small", { max_tokens: 50 })).status).toBe(200);
  expect(gateway.calls()).toMatchObject({ metered: 2 });
});

test.each([
  ["its max_tokens", { max_tokens: 4_096 }, "max_tokens"],
  ["its prompt", { messages: [{ role: "user", content: "Well? ".repeat(2_000) }] }, "messages"],
])(
  "a request that an upstream never has room for because of %s is told so, and not to wait",
  async (_, asked, param) => {
    const refused = await ask("metered/small", asked);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([400, null]);
    expect(await refused.json()).toMatchObject({
      error: { code: "invalid_value", param, message: expect.stringContaining("in a whole minute") },
    });
  },
);
