import type { Usage } from "../contract/index.ts";
import type { Admitted, Closed } from "./ledger-row.ts";
import type { WriteAheadRecord } from "./write-ahead.ts";

/** A row's opening or closing, as in the write-ahead file. */
export type LedgerRecord =
  | { readonly number: number; readonly admitted: Admitted }
  | { readonly number: number; readonly closed: Closed };

/** Bound of names cached as JSON; clients choose some of them. */
const MOST_QUOTED = 1_000;
const QUOTED = new Map<string, string>();

/** Returns the record of a row's opening. */
export function openedRecord(
  number: number,
  { request, key, model, endpoint, at, reserved }: Admitted,
): WriteAheadRecord {
  // The id is each request's own: it isn't worth remembering as JSON, and needs none at the end.
  const text = `[${quoted(key)},${quoted(model)},${quoted(endpoint)}]\n${request}`;
  return { numbers: [number, at, reserved], text };
}

/** Returns the record of a row's closing. */
export function closedRecord(number: number, closed: Closed): WriteAheadRecord {
  const { outcome, code, upstream, upstreamModel, usageSource, priceVersion, cache } = closed;
  const { status, attempts, settled, totalMs, firstEventMs, queuedMs, cost, usage, paid } = closed;
  // Member by member: each request has one.
  const numbers = [
    number,
    status,
    attempts,
    settled,
    totalMs,
    firstEventMs ?? NaN,
    queuedMs ?? NaN,
    cost ?? NaN,
    usage.input ?? NaN,
    usage.cachedInput ?? NaN,
    usage.cacheWrite ?? NaN,
    usage.output ?? NaN,
    usage.reasoning ?? NaN,
    paid.input ?? NaN,
    paid.cachedInput ?? NaN,
    paid.cacheWrite ?? NaN,
    paid.output ?? NaN,
    paid.reasoning ?? NaN,
  ];
  const text = `["${outcome}","${cache}",${quoted(code)},${quoted(upstream)},${quoted(upstreamModel)},${quoted(usageSource)},${quoted(priceVersion)}]`;
  return { numbers, text };
}

/** Parses a record; returns undefined if it can't be read. */
export function readRecord({ numbers, text }: WriteAheadRecord): LedgerRecord | undefined {
  const [number, ...others] = numbers;
  if (number === undefined) return undefined;
  const end = text.indexOf("\n");
  try {
    if (end < 0) return { number, closed: closedOf(others, JSON.parse(text) as never[]) };
    const [key, model, endpoint] = JSON.parse(text.slice(0, end)) as [string, string, string];
    const [at, reserved] = others as [number, number];
    return { number, admitted: { request: text.slice(end + 1), key, model, endpoint, at, reserved } };
  } catch {
    return undefined;
  }
}

/** All fields, so that none is forgotten here. */
type Whole<T> = { readonly [Field in keyof Required<T>]: T[Field] };

function closedOf(numbers: readonly number[], texts: readonly never[]): Closed {
  const [status = 0, attempts = 0, settled = 0, totalMs = 0, firstEventMs, queuedMs, cost, ...counts] =
    numbers;
  const [outcome, cache, code, upstream, upstreamModel, usageSource, priceVersion] = texts;
  const closed: Whole<Closed> = {
    outcome: outcome as never,
    status,
    code: code ?? undefined,
    upstream: upstream ?? undefined,
    upstreamModel: upstreamModel ?? undefined,
    attempts,
    usage: usageOf(counts),
    usageSource: usageSource ?? undefined,
    paid: usageOf(counts.slice(COUNTS.length)),
    cost: known(cost) ?? null,
    priceVersion: priceVersion ?? undefined,
    cache: cache as never,
    settled,
    firstEventMs: known(firstEventMs),
    queuedMs: known(queuedMs),
    totalMs,
  };
  return closed;
}

const COUNTS = ["input", "cachedInput", "cacheWrite", "output", "reasoning"] as const;

function usageOf(numbers: readonly number[]): Usage {
  const counts = COUNTS.map((name, index) => [name, known(numbers[index])] as const);
  return Object.fromEntries(counts.filter(([, count]) => count !== undefined));
}

function known(number: number | undefined): number | undefined {
  return Number.isNaN(number) ? undefined : number;
}

function quoted(text: string | undefined): string {
  if (text === undefined) return "null";
  let json = QUOTED.get(text);
  if (json === undefined) {
    if (QUOTED.size >= MOST_QUOTED) QUOTED.clear();
    QUOTED.set(text, (json = JSON.stringify(text)));
  }
  return json;
}
