import type { CounterSeries, HistogramSeries } from "./metrics.ts";
import { Counter, Histogram } from "./metrics.ts";
import { isHit } from "../ledger/ledger-store.ts";
import type { Admitted, CacheState, Closed, Outcome } from "../ledger/ledger.ts";

/** A row of the ledger, with measurements for metrics only. */
export interface MeasuredRequest extends Closed {
  /** From the request's first byte to the first upstream call, in ms: the gateway's own overhead. */
  readonly overheadMs?: number | undefined;
}

// The bounds that OpenTelemetry's conventions for generative AI recommend, in seconds.
const DURATION_BOUNDS = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
const FIRST_EVENT_BOUNDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const QUEUE_BOUNDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const OVERHEAD_BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
// Of tokens; from the same page: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
const TOKEN_BOUNDS = Array.from({ length: 14 }, (_, power) => 4 ** power);
const TARGET = ["gen_ai_provider_name", "gen_ai_request_model"];
const BY_KEY = ["upstream", "model", "key"];

/** Bound of unlisted but answered model names with their own label. */
const MAX_UNLISTED = 100;
/** The label of unlisted models that were never answered: clients make such names up. */
const UNKNOWN = "unknown";

/**
 * Counts requests for Prometheus. A model's label is the requested name if an upstream was tried and the name is known:
 * listed, routed by the file, or answered once.
 */
export class RequestMetrics {
  readonly #isKnown: (model: string) => boolean;
  readonly #unlisted = new Set<string>();
  readonly #requests = new Counter({
    name: "modelyard_requests_total",
    help: "Admitted requests that have ended.",
    labels: ["outcome", ...BY_KEY],
  });
  readonly #refused = new Counter({
    name: "modelyard_refused_requests_total",
    help: "Requests that were refused before admission, by error code.",
    labels: ["code", "key"],
  });
  readonly #cache = new Counter({
    name: "modelyard_cache_requests_total",
    help: "Admitted requests by cache result.",
    labels: ["state"],
  });
  readonly #tokens = new Counter({
    name: "modelyard_tokens_total",
    help: "Tokens that keys were charged for; cached_input and cache_write are within input, reasoning is within output.",
    labels: ["kind", "source", ...BY_KEY],
  });
  readonly #cost = new Counter({
    name: "modelyard_cost_usd_total",
    help: "Cost in USD of requests with a known price.",
    labels: BY_KEY,
  });
  readonly #unpriced = new Counter({
    name: "modelyard_unpriced_requests_total",
    help: "Ended requests without a known price.",
    labels: BY_KEY,
  });
  readonly #duration = new Histogram(
    {
      name: "gen_ai_server_request_duration_seconds",
      help: "From a request's first byte to its end.",
      labels: TARGET,
    },
    DURATION_BOUNDS,
  );
  readonly #firstEvent = new Histogram(
    {
      name: "gen_ai_server_time_to_first_token_seconds",
      help: "From a request's first byte to its answer's first event.",
      labels: TARGET,
    },
    FIRST_EVENT_BOUNDS,
  );
  readonly #tokenUsage = new Histogram(
    {
      name: "gen_ai_client_token_usage",
      help: "Tokens of a request and of its answer, as reported by upstreams.",
      labels: ["gen_ai_token_type", ...TARGET],
    },
    TOKEN_BOUNDS,
  );
  readonly #overhead = new Histogram(
    {
      name: "modelyard_overhead_seconds",
      help: "From a request's first byte to the first call to an upstream.",
      labels: [],
    },
    OVERHEAD_BOUNDS,
  );
  readonly #queue = new Histogram(
    {
      name: "modelyard_queue_seconds",
      help: "Time that requests waited for a free credential, by the last upstream that was tried.",
      labels: ["upstream"],
    },
    QUEUE_BOUNDS,
  );
  readonly #caches: Partial<Record<CacheState, CounterSeries>> = {};
  #overheads: HistogramSeries | undefined;
  readonly #series = new Map<string, RequestSeries>();

  /** `isKnown` returns whether a model's name is routed by the file or listed by an upstream. */
  constructor(isKnown: (model: string) => boolean) {
    this.#isKnown = isKnown;
  }

  /** Counts an ended request; called once for each row of the ledger. */
  recordClosed({ key, model: asked }: Admitted, end: MeasuredRequest): void {
    const { upstream = "", cost, firstEventMs, overheadMs, queuedMs } = end;
    const model = upstream === "" ? "" : this.#modelLabel(asked, end.outcome);
    const series = this.#seriesOf(upstream, model, key);
    const { labels, target } = series;
    (series.requests[end.outcome] ??= this.#requests.series([end.outcome, ...labels])).count += 1;
    (this.#caches[end.cache] ??= this.#cache.series([end.cache])).count += 1;
    this.#countTokens(series, end);
    if (cost === null) (series.unpriced ??= this.#unpriced.series(labels)).count += 1;
    else (series.cost ??= this.#cost.series(labels)).count += cost;
    (series.duration ??= this.#duration.series(target)).observe(end.totalMs / 1000);
    if (firstEventMs !== undefined)
      (series.firstEvent ??= this.#firstEvent.series(target)).observe(firstEventMs / 1000);
    if (queuedMs !== undefined) this.#queue.series([upstream]).observe(queuedMs / 1000);
    if (overheadMs !== undefined) (this.#overheads ??= this.#overhead.series([])).observe(overheadMs / 1000);
  }

  #countTokens(series: RequestSeries, { cache, usage, usageSource, paid }: MeasuredRequest): void {
    const source: string = usageSource ?? "";
    const { labels, target, tokens, usages } = series;
    for (const kind of KINDS) {
      const count = paid[USAGE[kind]];
      if (count) (tokens[kind + source] ??= this.#tokens.series([kind, source, ...labels])).count += count;
    }
    // The conventions count measured, billed tokens: no estimates and no cache hits.
    if (source !== "upstream" || isHit(cache)) return;
    for (const kind of ["input", "output"] as const) {
      const count = usage[kind];
      if (count !== undefined) (usages[kind] ??= this.#tokenUsage.series([kind, ...target])).observe(count);
    }
  }

  #seriesOf(upstream: string, model: string, key: string): RequestSeries {
    const name = `${upstream}\0${model}\0${key}`;
    let series = this.#series.get(name);
    if (!series) {
      // Only a cache of lookups: the counters themselves are kept elsewhere.
      if (this.#series.size >= MAX_SERIES) this.#series.clear();
      series = {
        labels: [upstream, model, key],
        target: [upstream, model],
        requests: {},
        tokens: {},
        usages: {},
      };
      this.#series.set(name, series);
    }
    return series;
  }

  #modelLabel(asked: string, outcome: Outcome): string {
    if (this.#isKnown(asked) || this.#unlisted.has(asked)) return asked;
    if (outcome !== "ok" || this.#unlisted.size >= MAX_UNLISTED) return UNKNOWN;
    this.#unlisted.add(asked);
    return asked;
  }

  /** Counts a request that was refused before admission; `key` is the name of a valid key. */
  recordRefused(code: string, key = ""): void {
    this.#refused.add([code, key]);
  }

  /** Yields all lines in Prometheus' text format. */
  *lines(): Generator<string> {
    const counters = [this.#requests, this.#refused, this.#cache, this.#tokens, this.#cost, this.#unpriced];
    const histograms = [this.#duration, this.#firstEvent, this.#tokenUsage, this.#overhead, this.#queue];
    for (const metric of [...counters, ...histograms]) yield* metric.lines();
  }
}

/** Members of a usage by their label. */
const USAGE = {
  input: "input",
  cached_input: "cachedInput",
  cache_write: "cacheWrite",
  output: "output",
  reasoning: "reasoning",
} as const;

const KINDS = Object.keys(USAGE) as readonly (keyof typeof USAGE)[];

/** The series of one upstream, model and key, created when first needed. */
interface RequestSeries {
  readonly labels: readonly string[];
  readonly target: readonly string[];
  readonly requests: Partial<Record<Outcome, CounterSeries>>;
  /** By kind and source. */
  readonly tokens: Partial<Record<string, CounterSeries>>;
  readonly usages: Partial<Record<"input" | "output", HistogramSeries>>;
  cost?: CounterSeries;
  unpriced?: CounterSeries;
  duration?: HistogramSeries;
  firstEvent?: HistogramSeries;
}

/** Bound of cached lookups. */
const MAX_SERIES = 1_000;
