import { expect, test } from "bun:test";
import { closedRecord, openedRecord, readRecord } from "./ledger-record.ts";
import type { Admitted, Closed } from "./ledger-row.ts";

const admitted: Admitted = {
  request: "req_1",
  key: 'k"1"\n',
  model: "Łódź \u{1F600}\0",
  endpoint: "/v1/chat/completions",
  at: 1_790_000_000_000,
  reserved: 0,
};
const closed: Closed = {
  outcome: "truncated",
  status: 502,
  code: "upstream_truncated",
  upstream: "a\\b",
  upstreamModel: 'm"\n',
  attempts: 2,
  usage: { input: 1, cachedInput: 2, cacheWrite: 3, output: 4, reasoning: 5 },
  usageSource: "estimated",
  paid: { input: 6, output: 0 },
  cost: 0.1 + 0.2,
  priceVersion: "v1",
  cache: "miss",
  settled: 6,
  firstEventMs: 1 / 3,
  queuedMs: 0,
  totalMs: 12.5,
};

test("a row's beginning and its end are read as they were written", () => {
  expect(readRecord(openedRecord(1, admitted))).toEqual({ number: 1, admitted });
  expect(readRecord(closedRecord(2, closed))).toEqual({ number: 2, closed });
  const { code: _, upstream: __, firstEventMs: ___, queuedMs: ____, ...least } = closed;
  const bare = { ...least, usage: {}, paid: {}, cost: null };
  expect(readRecord(closedRecord(3, bare))).toEqual({ number: 3, closed: bare });
});

test("a record that is none is left out", () => {
  expect(readRecord({ numbers: [], text: "[]\n" })).toBeUndefined();
  expect(readRecord({ numbers: [1, 2, 3], text: "{\n" })).toBeUndefined();
});
