import { expect, test } from "bun:test";
import { addLimitHeaders, resetText } from "./limit-headers.ts";
import type { Standing } from "../../limits/rate-limiter.ts";

function limitHeaders(standing: Standing): Record<string, string> {
  const headers: Record<string, string> = {};
  addLimitHeaders(standing, headers);
  return headers;
}

test("the headers are OpenAI's, for the kinds of limits that there are", () => {
  const requests = { limit: 60, remaining: 0, resetMs: 59_500 };
  const tokens = { limit: 100_000, remaining: 99_880, resetMs: 72 };
  expect(limitHeaders({ requests, tokens })).toEqual({
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "59.5s",
    "x-ratelimit-limit-tokens": "100000",
    "x-ratelimit-remaining-tokens": "99880",
    "x-ratelimit-reset-tokens": "72ms",
  });
  expect(Object.keys(limitHeaders({ requests: undefined, tokens }))).toHaveLength(3);
  expect(limitHeaders({ requests: undefined, tokens: undefined })).toEqual({});
});

test.each([
  [0, "0s"],
  [1, "1ms"],
  [999, "999ms"],
  [1_000, "1s"],
  [8_640, "8.64s"],
  [59_999, "59.999s"],
  [60_000, "1m0s"],
  [86_400, "1m26.4s"],
  [360_000, "6m0s"],
  [3_600_000, "1h0m0s"],
  [86_399_001, "23h59m59.001s"],
])("%p ms are written %p", (ms, text) => {
  expect(resetText(ms)).toBe(text);
});
