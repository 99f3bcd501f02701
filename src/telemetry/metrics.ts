/** The names and values of a series' labels, in a fixed order. */
export type Labels = Readonly<Record<string, string>>;

/**
 * The most series of one metric. Labels are bounded where they are chosen (`RequestMetrics`), so this is a last resort: beyond it
 * new keys share the label `other`, so that a new model still gets its series; beyond twice as many all labels do.
 */
const MAX_SERIES = 10_000;

interface Series<Value> {
  readonly labels: string;
  readonly value: Value;
}

/** Values by labels, within a bound. */
class Family<Value> {
  readonly #names: readonly string[];
  readonly #make: () => Value;
  readonly #series = new Map<string, Series<Value>>();

  constructor(names: readonly string[], make: () => Value) {
    this.#names = names;
    this.#make = make;
  }

  /** Returns the value of these labels, in the order of the names. */
  at(labels: readonly string[]): Value {
    const key = labels.join("\0");
    const known = this.#series.get(key);
    if (known) return known.value;
    const fewer = this.#series.size < MAX_SERIES ? labels : this.#withFewerValues(labels);
    if (fewer !== labels) return this.at(fewer);
    const text = this.#names.map((name, index) => labelText(name, labels[index] ?? "")).join(",");
    const series = { labels: text, value: this.#make() };
    this.#series.set(key, series);
    return series.value;
  }

  /** The labels under which a new series is counted once there are many; the same list if nothing is left to share. */
  #withFewerValues(labels: readonly string[]): readonly string[] {
    const shares = this.#series.size >= 2 * MAX_SERIES ? this.#names : ["key"];
    const shared = labels.map((label, index) => (shares.includes(this.#names[index] ?? "") ? OTHER : label));
    return shared.every((label, index) => label === labels[index]) ? labels : shared;
  }

  all(): Iterable<Series<Value>> {
    return this.#series.values();
  }
}

const OTHER = "other";

/** A metric's name, help text and labels. */
export interface MetricInfo {
  /** Ends in the unit, as `_seconds`, or in `_total` for a counter. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** One series of a counter. */
export interface CounterSeries {
  count: number;
}

/** One series of a histogram. */
export class HistogramSeries {
  readonly counts: number[];
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
  }
}

/** A monotonic counter. */
export class Counter {
  readonly #info: MetricInfo;
  readonly #family: Family<CounterSeries>;

  constructor(info: MetricInfo) {
    this.#info = info;
    this.#family = new Family(info.labels, () => ({ count: 0 }));
  }

  add(labels: readonly string[], by = 1): void {
    this.#family.at(labels).count += by;
  }

  /** Returns the series of these labels. */
  series(labels: readonly string[]): CounterSeries {
    return this.#family.at(labels);
  }

  /** Yields its lines in Prometheus' text format. */
  *lines(): Generator<string> {
    yield* headOf(this.#info, "counter");
    for (const { labels, value } of this.#family.all()) {
      yield sample(this.#info.name, labels, value.count);
    }
  }
}

/** How often values were at most as large as each of some bounds. */
export class Histogram {
  readonly #info: MetricInfo;
  readonly #bounds: readonly number[];
  readonly #family: Family<HistogramSeries>;

  constructor(info: MetricInfo, bounds: readonly number[]) {
    this.#info = info;
    this.#bounds = bounds;
    this.#family = new Family(info.labels, () => new HistogramSeries(bounds));
  }

  /** The series of these labels, to be observed again and again. */
  series(labels: readonly string[]): HistogramSeries {
    return this.#family.at(labels);
  }

  /** Yields its lines in Prometheus' text format. */
  *lines(): Generator<string> {
    const { name } = this.#info;
    yield* headOf(this.#info, "histogram");
    for (const { labels, value } of this.#family.all()) {
      let count = 0;
      for (const [index, more] of value.counts.entries()) {
        count += more;
        const bound = labelText("le", String(this.#bounds[index] ?? "+Inf"));
        yield sample(`${name}_bucket`, labels === "" ? bound : `${labels},${bound}`, count);
      }
      yield sample(`${name}_sum`, labels, value.sum);
      yield sample(`${name}_count`, labels, count);
    }
  }
}

/** One value of a metric, as it is when somebody asks. */
export interface Reading {
  readonly labels: Labels;
  readonly value: number;
}

/** Yields the lines of a gauge in Prometheus' text format. */
export function gaugeLines(info: Omit<MetricInfo, "labels">, readings: Iterable<Reading>): Generator<string> {
  return readingLines(info, "gauge", readings);
}

/** Yields the lines of a counter that is kept elsewhere. */
export function counterLines(
  info: Omit<MetricInfo, "labels">,
  readings: Iterable<Reading>,
): Generator<string> {
  return readingLines(info, "counter", readings);
}

function* readingLines(
  { name, help }: Omit<MetricInfo, "labels">,
  type: string,
  readings: Iterable<Reading>,
): Generator<string> {
  yield* headOf({ name, help }, type);
  for (const { labels, value } of readings) {
    const text = Object.entries(labels).map(([label, content]) => labelText(label, content));
    yield sample(name, text.join(","), value);
  }
}

function* headOf({ name, help }: Omit<MetricInfo, "labels">, type: string): Generator<string> {
  yield `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`;
  yield `# TYPE ${name} ${type}`;
}

function sample(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${value}`;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
function labelText(name: string, value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `${name}="${escaped}"`;
}
