import { expect, test } from "bun:test";
import type { Admitted, Closed } from "../ledger/ledger.ts";
import { RequestMetrics } from "./request-metrics.ts";

const ADMITTED: Admitted = {
  request: "r",
  key: 'a "b" \\',
  model: "m",
  endpoint: "/v1/chat/completions",
  at: 0,
  reserved: 0,
};
const CLOSED: Closed = {
  outcome: "ok",
  status: 200,
  upstream: "u",
  upstreamModel: "m",
  attempts: 1,
  usage: { input: 10, cachedInput: 4, output: 5 },
  usageSource: "upstream",
  paid: { input: 10, cachedInput: 4, output: 5 },
  cost: 0.25,
  cache: "miss",
  settled: 15,
  firstEventMs: 7,
  totalMs: 100,
};

/** Samples by name and labels, of a text that must be well-formed: HELP and TYPE first, each sample once. */
function parse(lines: Iterable<string>): Map<string, number> {
  const samples = new Map<string, number>();
  let family = "";
  for (const line of lines) {
    const head = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (head?.[1] === "HELP") family = head[2] ?? "";
    if (head) {
      expect(head[2]).toBe(family);
      continue;
    }
    const [, name = "", labels = "", value] =
      /^([a-z_]+)((?:\{(?:[a-z_]+="(?:[^"\\]|\\[\\"n])*",?)+\})?) (\S+)$/.exec(line) ?? [];
    expect(name.replace(/_(bucket|sum|count)$/, "")).toBe(family);
    expect(samples.has(name + labels)).toBe(false);
    expect(Number(value)).not.toBeNaN();
    samples.set(name + labels, Number(value));
  }
  return samples;
}

test("an ended request is in every count that it belongs to", () => {
  const metrics = new RequestMetrics(() => true);
  metrics.recordClosed(ADMITTED, { ...CLOSED, overheadMs: 0.4 });
  const samples = parse(metrics.lines());
  const who = String.raw`upstream="u",model="m",key="a \"b\" \\"`;
  expect(samples.get(`modelyard_requests_total{outcome="ok",${who}}`)).toBe(1);
  expect(samples.get(`modelyard_tokens_total{kind="cached_input",source="upstream",${who}}`)).toBe(4);
  expect(samples.get(`modelyard_cost_usd_total{${who}}`)).toBe(0.25);
  const target = 'gen_ai_provider_name="u",gen_ai_request_model="m"';
  expect(samples.get(`gen_ai_server_request_duration_seconds_bucket{${target},le="0.08"}`)).toBe(0);
  expect(samples.get(`gen_ai_server_request_duration_seconds_bucket{${target},le="0.16"}`)).toBe(1);
  expect(samples.get(`gen_ai_server_time_to_first_token_seconds_sum{${target}}`)).toBe(0.007);
  expect(samples.get("modelyard_overhead_seconds_count")).toBe(1);
});

test("tokens are in the conventions' histogram where an upstream told them and they are paid for", () => {
  const metrics = new RequestMetrics(() => true);
  metrics.recordClosed(ADMITTED, CLOSED);
  metrics.recordClosed(ADMITTED, { ...CLOSED, cache: "hit" });
  metrics.recordClosed(ADMITTED, { ...CLOSED, cache: "follow" });
  metrics.recordClosed(ADMITTED, { ...CLOSED, usageSource: "estimated" });
  const samples = parse(metrics.lines());
  const of = (type: string) =>
    `gen_ai_token_type="${type}",gen_ai_provider_name="u",gen_ai_request_model="m"`;
  const name = "gen_ai_client_token_usage";
  expect(samples.get(`${name}_count{${of("input")}}`)).toBe(1);
  expect(samples.get(`${name}_sum{${of("input")}}`)).toBe(10);
  expect(samples.get(`${name}_sum{${of("output")}}`)).toBe(5);
  expect(samples.get(`${name}_bucket{${of("output")},le="4"}`)).toBe(0);
  expect(samples.get(`${name}_bucket{${of("output")},le="16"}`)).toBe(1);
  expect(samples.get(`${name}_bucket{${of("output")},le="67108864"}`)).toBe(1);
});

test("a request without a known price is counted as such, and not as free", () => {
  const metrics = new RequestMetrics(() => true);
  metrics.recordClosed(ADMITTED, { ...CLOSED, cost: null });
  const names = [...parse(metrics.lines()).keys()].join("\n");
  expect(names).toContain("modelyard_unpriced_requests_total{");
  expect(names).not.toContain("modelyard_cost_usd_total{");
});

test("refusals are counted by code", () => {
  const metrics = new RequestMetrics(() => true);
  metrics.recordRefused("rate_limit_exceeded", "alice");
  metrics.recordRefused("rate_limit_exceeded", "alice");
  const samples = parse(metrics.lines());
  expect(samples.get('modelyard_refused_requests_total{code="rate_limit_exceeded",key="alice"}')).toBe(2);
});

/** The series of the requests' counter, which is the first metric. */
function requestSeries(metrics: RequestMetrics): string[] {
  const series: string[] = [];
  for (const line of metrics.lines()) {
    if (line.startsWith("modelyard_requests_total{")) series.push(line);
    else if (series.length > 0) break;
  }
  return series;
}

/** The values of a label there. */
function labelsOf(metrics: RequestMetrics, label: string): Set<string> {
  const value = new RegExp(`,${label}="([^"]*)"`);
  return new Set(requestSeries(metrics).map((line) => value.exec(line)?.[1] ?? ""));
}

test("names that clients make up share one label, and leave room for every real model and key", () => {
  const metrics = new RequestMetrics((model) => model === "listed");
  const refused = { ...CLOSED, outcome: "upstream_error", status: 404 } as const;
  for (let model = 0; model < 20_000; model++)
    metrics.recordClosed({ ...ADMITTED, model: `junk${model}` }, refused);
  for (let model = 0; model < 1_000; model++)
    metrics.recordClosed({ ...ADMITTED, model: `answered${model}` }, CLOSED);
  metrics.recordClosed({ ...ADMITTED, model: "listed", key: "newbie" }, refused);
  const models = labelsOf(metrics, "model");
  expect(models).toContain("unknown");
  expect(models).toContain("listed");
  expect(models).toContain("answered0");
  expect(models.size).toBe(102);
  expect(labelsOf(metrics, "key")).toContain("newbie");
});

test("with very many keys, new ones share a label, and a new model still has its own", () => {
  const metrics = new RequestMetrics(() => true);
  for (let key = 0; key < 10_500; key++) metrics.recordClosed({ ...ADMITTED, key: `k${key}` }, CLOSED);
  metrics.recordClosed({ ...ADMITTED, model: "new" }, CLOSED);
  expect(labelsOf(metrics, "key").size).toBe(10_001);
  expect(labelsOf(metrics, "model")).toEqual(new Set(["m", "new"]));
});

test("whatever happens, a metric has no more than twice as many series and one for the rest", () => {
  const metrics = new RequestMetrics(() => true);
  for (let model = 0; model < 25_000; model++)
    metrics.recordClosed({ ...ADMITTED, model: `m${model}` }, CLOSED);
  const requests = requestSeries(metrics);
  expect(requests).toHaveLength(20_001);
  expect(requests).toContain(
    'modelyard_requests_total{outcome="other",upstream="other",model="other",key="other"} 5000',
  );
});
