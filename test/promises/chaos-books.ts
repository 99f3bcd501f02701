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
}

/** The rows of a database, by request; no request may have two. */
export function rowsIn(file: string): ReadonlyMap<string, Row> {
  using database = new Database(file, { readonly: true });
  const columns = "request, outcome, status, input, output, usage_source AS source";
  const rows = database.query<Row, []>(`SELECT ${columns} FROM requests`).all();
  const byRequest = new Map(rows.map((row) => [row.request, row]));
  expect(byRequest.size).toBe(rows.length);
  return byRequest;
}

/**
 * How a row differs from what was seen. Where the client has read to the end, its tokens are those of the row. Where
 * it left, or its gateway died, it can't know what was on its way: it was handed no fewer than it read, and no more
 * than the upstream sent; which is one more at most where the upstream waits for each piece to be read.
 */
export function disagreements(request: ChaosRequest, row: Row | undefined): string[] {
  if (!row || row.outcome === "crashed") return [];
  const { seen, script } = request;
  const booked = row.output ?? 0;
  const wrong: string[] = [];
  const claim = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`${what}: ${JSON.stringify({ request, row })}`);
  };
  if (seen.end === "read") claim(booked === seen.received, "the client has read what is booked");
  claim(booked >= seen.received, "no less is booked than was read");
  claim(booked <= seen.sent, "no more is booked than was sent");
  if (request.stream && script.inStep) claim(booked <= seen.received + 1, "only one piece was on its way");
  if (seen.told !== undefined) claim(booked === seen.told, "the client was told what is booked");
  if (row.outcome === "ok") {
    const pieces = request.endpoint === "embeddings" ? 0 : script.pieces;
    claim(booked === pieces, "a whole answer is booked whole");
    const isTold = script.end !== "untold";
    claim(row.source === (isTold ? "upstream" : "estimated"), "the source is where it comes from");
    if (isTold) claim(row.input === PROMPT_TOKENS, "the prompt is booked as told");
  }
  if (seen.end === "read" && seen.status !== 200) claim(row.status === seen.status, "the status is booked");
  return wrong;
}
