import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import type { ChaosRequest } from "./chaos-request.ts";
import { PROMPT_TOKENS } from "./chaos-request.ts";

/** What the ledger says of a request. */
export interface Row {
  readonly request: string;
  readonly outcome: string;
  readonly status: number | null;
  readonly input: number | null;
  readonly output: number | null;
  readonly source: string | null;
  readonly cost: number | null;
  /** What the response cache had to do with it. */
  readonly cache: string | null;
}

/** The rows of a database, by request; no request may have two. */
export function rowsIn(file: string): ReadonlyMap<string, Row> {
  using database = new Database(file, { readonly: true });
  const columns = "request, outcome, status, input, output, usage_source AS source, cost, cache";
  const rows = database.query<Row, []>(`SELECT ${columns} FROM requests`).all();
  const byRequest = new Map(rows.map((row) => [row.request, row]));
  expect(byRequest.size).toBe(rows.length);
  return byRequest;
}

/**
 * How a row differs from what was seen. Where the client has read to the end, its tokens are those of the row. Where
 * it left, or its gateway died, it can't know what was on its way: it was handed no fewer than it read, and no more
 * than the upstream sent; which is one more at most where the upstream waits for each piece to be read. Of answers
 * that are shared nobody knows for whom the upstream sent them.
 */
export function disagreements(request: ChaosRequest, row: Row | undefined): string[] {
  if (!row || row.outcome === "crashed") return [];
  const { seen } = request;
  const booked = row.output ?? 0;
  // A plain answer that fails hands over nothing, but what the upstream said until then was used.
  const isHanded = seen.end === "read" && (request.stream || seen.status === 200);
  const claims: Record<string, boolean> = {
    "no less is booked than was read": booked >= seen.received,
    "the client has read what is booked": !isHanded || booked === seen.received,
    "the client was told what is booked": seen.told === undefined || booked === seen.told,
    "the status is booked": seen.end !== "read" || row.status === seen.status || seen.status === 200,
    ...(request.shared === undefined ? claimsOfOwn(request, row) : claimsOfShared(request, row)),
  };
  const broken = Object.keys(claims).filter((claim) => !claims[claim]);
  return broken.map((claim) => `${claim}: ${JSON.stringify({ request, row })}`);
}

/** Of an answer that the upstream gave to this request. */
function claimsOfOwn(
  request: ChaosRequest,
  { outcome, output, input, source }: Row,
): Record<string, boolean> {
  const { seen, script } = request;
  const booked = output ?? 0;
  const pieces = request.endpoint === "embeddings" ? 0 : script.pieces;
  const isTold = script.end !== "untold";
  return {
    "no more is booked than was sent": booked <= seen.sent,
    "only one piece was on its way": !(request.stream && script.inStep) || booked <= seen.received + 1,
    ...(outcome === "ok" && {
      "a whole answer is booked whole": booked === pieces,
      "the source is where it comes from": source === (isTold ? "upstream" : "estimated"),
      "the prompt is booked as told": !isTold || input === PROMPT_TOKENS,
    }),
  };
}

/** Of an answer that others may have been given, too. */
function claimsOfShared({ seen }: ChaosRequest, { cache, cost }: Row): Record<string, boolean> {
  return {
    "an answer of the cache costs nothing": cache !== "hit" || cost === 0,
    "an answer of the cache asks no upstream": cache !== "hit" || !seen.asked,
  };
}
