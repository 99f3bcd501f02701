/** The names and values of a series' labels, in a fixed order. */
export type Labels = Readonly<Record<string, string>>;

/**
 * The most series of one metric. Labels are bounded where they are chosen (`Meter`), so this is a last resort: beyond it
 * new keys share the label `other`, so that a new model still gets its series; beyond twice as many all labels do.
 */
const MOST_SERIES = 10_000;

interface Series<Value> {
  readonly labels: string;
  readonly value: Value;
}

/** Values by labels, of which there is a bound. */
class Family<Value> {
  readonly #names: readonly string[];
  readonly #make: () => Value;
  readonly #series = new Map<string, Series<Value>>();

  constructor(names: readonly string[], make: () => Value) {
    this.#names = names;
    this.#make = make;
  }

  /** The value of these labels, in the order of the names. */
  at(labels: readonly string[]): Value {
    const key = labels.join("\0");
    const known = this.#series.get(key);
    if (known) return known.value;
    const fewer = this.#series.size < MOST_SERIES ? labels : this.#withFewerValues(labels);
    if (fewer !== labels) return this.at(fewer);
    const text = this.#names.map((name, index) => labelText(name, labels[index] ?? "")).join(",");
    const series = { labels: text, value: this.#make() };
    this.#series.set(key, series);
    return series.value;
  }

  /** The labels under which a new series is counted once there are many; the same list if nothing is left to share. */
  #withFewerValues(labels: readonly string[]): readonly string[] {
    const shares = this.#series.size >= 2 * MOST_SERIES ? this.#names : ["key"];
    const shared = labels.map((label, index) => (shares.includes(this.#names[index] ?? "") ? OTHER : label));
    return shared.every((label, index) => label === labels[index]) ? labels : shared;
  }

  all(): Iterable<Series<Value>> {
    return this.#series.values();
  }
}

const OTHER = "other";

/** What a metric is called, and what it says. */
export interface Described {
  /** With its unit at the end, as `_seconds`, and `_total` for a counter. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** One number of a counter. */
export interface CounterSeries {
  count: number;
}

/** How often the values of one series were at most as large as each of the bounds. */
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

/** A number that only grows. */
export class Counter {
  readonly #described: Described;
  readonly #family: Family<CounterSeries>;

  constructor(described: Described) {
    this.#described = described;
    this.#family = new Family(described.labels, () => ({ count: 0 }));
  }

  add(labels: readonly string[], by = 1): void {
    this.#family.at(labels).count += by;
  }

  /** The number of these labels, to be added to again and again. */
  series(labels: readonly string[]): CounterSeries {
    return this.#family.at(labels);
  }

  /** Its lines in Prometheus' text format. */
  *lines(): Generator<string> {
    yield* headOf(this.#described, "counter");
    for (const { labels, value } of this.#family.all()) {
      yield sample(this.#described.name, labels, value.count);
    }
  }
}

/** How often values were at most as large as each of some bounds. */
export class Histogram {
  readonly #described: Described;
  readonly #bounds: readonly number[];
  readonly #family: Family<HistogramSeries>;

  constructor(described: Described, bounds: readonly number[]) {
    this.#described = described;
    this.#bounds = bounds;
    this.#family = new Family(described.labels, () => new HistogramSeries(bounds));
  }

  /** The series of these labels, to be observed again and again. */
  series(labels: readonly string[]): HistogramSeries {
    return this.#family.at(labels);
  }

  /** Its lines in Prometheus' text format. */
  *lines(): Generator<string> {
    const { name } = this.#described;
    yield* headOf(this.#described, "histogram");
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

/** The lines of a gauge in Prometheus' text format. */
export function gaugeLines(
  described: Omit<Described, "labels">,
  readings: Iterable<Reading>,
): Generator<string> {
  return readingLines(described, "gauge", readings);
}

/** The lines of a counter that is kept elsewhere. */
export function counterLines(
  described: Omit<Described, "labels">,
  readings: Iterable<Reading>,
): Generator<string> {
  return readingLines(described, "counter", readings);
}

function* readingLines(
  { name, help }: Omit<Described, "labels">,
  type: string,
  readings: Iterable<Reading>,
): Generator<string> {
  yield* headOf({ name, help }, type);
  for (const { labels, value } of readings) {
    const text = Object.entries(labels).map(([label, content]) => labelText(label, content));
    yield sample(name, text.join(","), value);
  }
}

function* headOf({ name, help }: Omit<Described, "labels">, type: string): Generator<string> {
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
