import type { Usage } from "../contract/index.ts";
import type { Admitted, Closed } from "./ledger-row.ts";

/** The beginning or the end of a request's row, as the write-ahead file has it. */
export type LedgerRecord =
  | { readonly number: number; readonly admitted: Admitted }
  | { readonly number: number; readonly closed: Closed };

/** Names that are remembered as JSON: some are the client's own. */
const MOST_QUOTED = 1_000;
const QUOTED = new Map<string, string>();

/** The line of a row's beginning. Written by hand: each request has one, and one of its end. */
export function openedLine(
  number: number,
  { request, key, model, endpoint, at, reserved }: Admitted,
): string {
  return `[${number},0,${JSON.stringify(request)},${quoted(key)},${quoted(model)},${quoted(endpoint)},${at},${reserved}]\n`;
}

/** The line of a row's end. */
export function closedLine(number: number, closed: Closed): string {
  const { outcome, status, attempts, settled, totalMs, firstEventMs, cost, cache, usageSource, queuedMs } =
    closed;
  return `[${number},1,"${outcome}",${status},${quoted(closed.code)},${quoted(closed.upstream)},${quoted(closed.upstreamModel)},${attempts},${counts(closed.usage)},${quoted(usageSource)},${closed.paid === closed.usage ? null : counts(closed.paid)},${cost},${quoted(closed.priceVersion)},"${cache}",${settled},${firstEventMs ?? null},${queuedMs ?? null},${totalMs}]\n`;
}

/** The records of a text of such lines; a line that isn't one is left out. */
export function* recordsIn(text: string): Generator<LedgerRecord> {
  for (const line of text.split("\n")) {
    const record = line === "" ? undefined : recordOf(line);
    if (record) yield record;
  }
}

function recordOf(line: string): LedgerRecord | undefined {
  try {
    const [number, kind, ...values] = JSON.parse(line) as [number, number, ...never[]];
    return kind === 0 ? { number, admitted: admittedOf(values) } : { number, closed: closedOf(values) };
  } catch {
    return undefined;
  }
}

function admittedOf(values: readonly never[]): Admitted {
  const [request, key, model, endpoint, at, reserved] = values as unknown as Required<Tuple>;
  return { request, key, model, endpoint, at, reserved };
}

type Tuple = [request: string, key: string, model: string, endpoint: string, at: number, reserved: number];

/** All fields, so that none is forgotten here. */
type Whole<T> = { readonly [Field in keyof Required<T>]: T[Field] };

function closedOf(values: readonly never[]): Closed {
  const [outcome, status, code, upstream, upstreamModel, attempts, usage, usageSource, paid, ...others] =
    values;
  const [cost, priceVersion, cache, settled, firstEventMs, queuedMs, totalMs] = others;
  const told = usageOf(usage ?? []);
  const closed: Whole<Closed> = {
    outcome: outcome as never,
    status: status as never,
    code: code ?? undefined,
    upstream: upstream ?? undefined,
    upstreamModel: upstreamModel ?? undefined,
    attempts: attempts as never,
    usage: told,
    usageSource: usageSource ?? undefined,
    paid: paid ? usageOf(paid) : told,
    cost: cost ?? null,
    priceVersion: priceVersion ?? undefined,
    cache: cache as never,
    settled: settled as never,
    firstEventMs: firstEventMs ?? undefined,
    queuedMs: queuedMs ?? undefined,
    totalMs: totalMs as never,
  };
  return closed;
}

function counts({ input, cachedInput, cacheWrite, output, reasoning }: Usage): string {
  return `[${input ?? null},${cachedInput ?? null},${cacheWrite ?? null},${output ?? null},${reasoning ?? null}]`;
}

const COUNTS = ["input", "cachedInput", "cacheWrite", "output", "reasoning"] as const;

function usageOf(values: readonly (number | null)[]): Usage {
  const known = COUNTS.map((name, index) => [name, values[index]] as const);
  return Object.fromEntries(known.filter(([, value]) => typeof value === "number"));
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
