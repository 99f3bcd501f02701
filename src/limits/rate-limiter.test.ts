import { expect, test } from "bun:test";
import type { LimitSettings } from "../../config/settings.ts";
import { until } from "../../test/support/until.ts";
import type { LimitRefusal, Permit } from "./rate-limiter.ts";
import { RateLimiter } from "./rate-limiter.ts";

function limiterAt(start = 0) {
  const clock = { now: start };
  return { clock, limiter: new RateLimiter({ now: () => clock.now }) };
}

function key(limits: LimitSettings, id = "key a") {
  return { id, limits };
}

function admitted(answer: Permit | LimitRefusal): Permit {
  if ("limit" in answer) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer;
}

test("a whole minute's requests are admitted at once, and the next as soon as the first has left", () => {
  const { clock, limiter } = limiterAt();
  const who = key({ requests_per_minute: 3 });
  for (const at of [0, 10, 20]) {
    clock.now = at;
    admitted(limiter.admit(who, 0))[Symbol.dispose]();
  }
  clock.now = 1_000;
  const refusal = { limit: "requests_per_minute", of: 3, retryAfterMs: 59_000 } as const;
  expect(limiter.admit(who, 0)).toEqual(refusal);
  clock.now = 59_999;
  expect(limiter.admit(who, 0)).toEqual({ ...refusal, retryAfterMs: 1 });
  clock.now = 60_000;
  admitted(limiter.admit(who, 0));
  expect(limiter.admit(who, 0)).toEqual({ ...refusal, retryAfterMs: 10 });
});

test("of several limits in the way the longest is named, and the refused request consumes nothing of any", () => {
  const { clock, limiter } = limiterAt();
  const who = key({
    requests_per_minute: 2,
    requests_per_day: 3,
    tokens_per_minute: 100,
    concurrent_requests: 1,
  });
  const first = admitted(limiter.admit(who, 10));
  const busy = { limit: "concurrent_requests", of: 1, retryAfterMs: 1000 } as const;
  for (let i = 0; i < 10; i++) expect(limiter.admit(who, 90)).toEqual(busy);
  first.settle(10);
  first[Symbol.dispose]();
  admitted(limiter.admit(who, 90))[Symbol.dispose]();
  expect(limiter.admit(who, 1)).toMatchObject({ limit: "requests_per_minute", retryAfterMs: 60_000 });
  clock.now = 60_000;
  admitted(limiter.admit(who, 100))[Symbol.dispose]();
  expect(limiter.admit(who, 1)).toEqual({ limit: "requests_per_day", of: 3, retryAfterMs: 86_340_000 });
});

test("a request that needs more than a minute's tokens is told that no wait helps", () => {
  const { limiter } = limiterAt();
  const who = key({ tokens_per_minute: 100, requests_per_minute: 1 });
  admitted(limiter.admit(who, 100));
  expect(limiter.admit(who, 101)).toEqual({ limit: "tokens_per_minute", of: 100, retryAfterMs: undefined });
});

test("what was reserved is replaced by what was used, also after the slot was disposed, and only once", () => {
  const { limiter } = limiterAt();
  const who = key({ tokens_per_minute: 1_000 });
  const remaining = () => limiter.standing(who).tokens?.remaining;
  const slot = admitted(limiter.admit(who, 600));
  expect([slot.reserved, remaining()]).toEqual([600, 400]);
  slot[Symbol.dispose]();
  expect(remaining()).toBe(1_000);
  slot.settle(250);
  slot.settle(900);
  slot[Symbol.dispose]();
  expect(remaining()).toBe(750);
  using more = admitted(limiter.admit(who, 700));
  more.settle(2_000);
  expect(remaining()).toBe(0);
});

test("a settlement that comes when the reservation has left the window counts no more", () => {
  const { clock, limiter } = limiterAt();
  const who = key({ tokens_per_minute: 100 });
  const old = admitted(limiter.admit(who, 100));
  clock.now = 60_000;
  const young = admitted(limiter.admit(who, 60));
  old.settle(100);
  expect(limiter.standing(who).tokens?.remaining).toBe(40);
  young.settle(10);
  expect(limiter.standing(who).tokens?.remaining).toBe(90);
});

test("other limits apply at once: fewer, more, or none", () => {
  const { clock, limiter } = limiterAt();
  for (let i = 0; i < 20; i++) {
    clock.now = i;
    admitted(limiter.admit(key({ requests_per_minute: 20 }), 0));
  }
  expect(limiter.admit(key({ requests_per_minute: 5 }), 0)).toMatchObject({ of: 5, retryAfterMs: 59_996 });
  expect(limiter.admit(key({ requests_per_minute: 20 }), 0)).toMatchObject({ of: 20, retryAfterMs: 59_981 });
  admitted(limiter.admit(key({ requests_per_minute: 21 }), 0));
  admitted(limiter.admit(key({}), 0));
});

test("keys don't share their limits", () => {
  const { limiter } = limiterAt();
  admitted(limiter.admit(key({ requests_per_minute: 1 }, "key a"), 0));
  admitted(limiter.admit(key({ requests_per_minute: 1 }, "key b"), 0));
  expect("limit" in limiter.admit(key({ requests_per_minute: 1 }, "key a"), 0)).toBe(true);
});

test("the standing names the limit nearest exhaustion, and nothing where there is no limit", () => {
  const { clock, limiter } = limiterAt();
  const who = key({ requests_per_minute: 10, requests_per_day: 12, tokens_per_minute: 500 });
  expect(limiter.standing(who)).toEqual({
    requests: { limit: 10, remaining: 10, resetMs: 0 },
    tokens: { limit: 500, remaining: 500, resetMs: 0 },
  });
  for (let i = 0; i < 9; i++) admitted(limiter.admit(who, 50));
  clock.now = 30_000;
  expect(limiter.standing(who)).toEqual({
    requests: { limit: 10, remaining: 1, resetMs: 30_000 },
    tokens: { limit: 500, remaining: 50, resetMs: 30_000 },
  });
  clock.now = 60_000;
  expect(limiter.standing(who).requests).toEqual({ limit: 12, remaining: 3, resetMs: 86_340_000 });
  expect(limiter.standing(key({}))).toEqual({ requests: undefined, tokens: undefined });
});

test("what was admitted before a restart counts as long as it would have", () => {
  const { clock, limiter } = limiterAt(5_000);
  const who = key({ requests_per_minute: 3, requests_per_day: 4, tokens_per_minute: 100 });
  for (const ago of [90_000_000, 86_000_000, 50_000, 10_000, -5_000])
    limiter.restore(who.id, { ago, tokens: 30 });
  expect(limiter.standing(who)).toMatchObject({ requests: { remaining: 0 }, tokens: { remaining: 10 } });
  expect(limiter.admit(who, 1)).toMatchObject({ limit: "requests_per_day", retryAfterMs: 400_000 });
  clock.now += 400_000;
  admitted(limiter.admit(who, 100));
});

test("who is idle is forgotten when others come, and who still counts is not", () => {
  const { clock, limiter } = limiterAt();
  const running = admitted(limiter.admit(key({ requests_per_minute: 1 }, "key running"), 0));
  for (let i = 0; i < 10_000; i++) {
    clock.now += 1_000;
    admitted(limiter.admit(key({ requests_per_minute: 1 }, `key ${i}`), 0))[Symbol.dispose]();
    expect(limiter.size).toBeLessThan(200);
  }
  expect("limit" in limiter.admit(key({ requests_per_minute: 1 }, "key 9999"), 0)).toBe(true);
  expect("limit" in limiter.admit(key({ concurrent_requests: 1 }, "key running"), 0)).toBe(true);
  running[Symbol.dispose]();
  admitted(limiter.admit(key({ concurrent_requests: 1 }, "key running"), 0));
});

test("a slot that was forgotten is freed, and told", async () => {
  const forgotten: string[] = [];
  const limiter = new RateLimiter({ now: () => 0, onLeak: (id) => forgotten.push(id) });
  const who = key({ concurrent_requests: 50, tokens_per_minute: 5_000 });
  const kept = admitted(limiter.admit(who, 100));
  const leak = () => {
    for (let i = 0; i < 49; i++) admitted(limiter.admit(who, 100)).trackLeak();
  };
  leak();
  expect("limit" in limiter.admit(who, 100)).toBe(true);
  await until(() => {
    Bun.gc(true);
    return forgotten.length > 0;
  }, "a forgotten slot to be collected");
  expect(forgotten[0]).toBe("key a");
  admitted(limiter.admit(who, 100))[Symbol.dispose]();
  expect(limiter.standing(who).tokens?.remaining).toBeGreaterThan(0);
  kept[Symbol.dispose]();
});

test("whoever leaves gives back its place, and its tokens stay reserved until they are settled", () => {
  const limiter = new RateLimiter({ now: () => 0 });
  const who = { id: "key", limits: { concurrent_requests: 1, tokens_per_minute: 100 } };
  const slot = limiter.admit(who, 80);
  if ("limit" in slot) throw new Error("it wasn't admitted");
  slot.releaseConcurrency();
  expect(limiter.admit(who, 30)).toMatchObject({ limit: "tokens_per_minute" });
  slot.settle(60);
  slot[Symbol.dispose]();
  const next = limiter.admit(who, 30);
  if ("limit" in next) throw new Error("it wasn't admitted");
  expect(limiter.standing(who).tokens?.remaining).toBe(10);
});
