import type { WriteAheadLog } from "./write-ahead.ts";
import type { Admitted, CacheState, Closed, Outcome, PastAdmission, Spent } from "./ledger-row.ts";

/** One admitted request, as the store gets it. */
export interface LedgerRow {
  /** Its number among the requests of this process; together with the process it is the row's id. */
  readonly number: number;
  readonly admitted: Admitted;
  /** Undefined while the request runs. */
  readonly closed: Closed | undefined;
  /** True if it was written before, while it ran. */
  readonly isWritten: boolean;
}

/** Counts of rows and sums of their columns. */
export interface LedgerSums extends Readonly<Record<Outcome, number>> {
  readonly admitted: number;
  /** Tokens, like all that follow but the last two. */
  readonly reserved: number;
  readonly settled: number;
  readonly released: number;
  readonly input: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
  readonly paidInput: number;
  readonly paidCachedInput: number;
  readonly paidCacheWrite: number;
  readonly paidOutput: number;
  readonly paidReasoning: number;
  /** USD of the requests with a known price. */
  readonly cost: number;
  /** Requests with an unknown price. */
  readonly unpriced: number;
}

/** The content of one transaction. */
export interface LedgerBatch {
  /** 1, 2, 3 …, by which a repeated batch is recognised. */
  readonly number: number;
  readonly rows: readonly LedgerRow[];
  /** The rows' contribution to the totals, counted request by request and not from the rows. */
  readonly counts: LedgerSums;
  /** Admitted requests whose rows were dropped. */
  readonly dropped: number;
}

/** A column by which usage is grouped. */
export type UsageGrouping = "key" | "model" | "day" | "upstream";

/** A query of the daily sums. */
export interface UsageQuery {
  readonly by: UsageGrouping;
  /** Milliseconds since 1970; includes its whole UTC day. Default: everything. */
  readonly since?: number | undefined;
  /** Restricts the query to one key. */
  readonly key?: string | undefined;
}

/** The ended requests of one group. */
export interface UsageRow extends Readonly<Record<Outcome, number>> {
  /** A key, a model, a day as 2026-01-31, or an upstream; empty where no upstream was asked. */
  readonly name: string;
  readonly requests: number;
  /** Requests answered by the cache or by another request's call. */
  readonly hits: number;
  /** Input and output tokens of hits that nobody paid for. */
  readonly saved: number;
  /** Paid tokens, like all that follow but the last two. */
  readonly input: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
  /** USD of the requests with a known price. */
  readonly cost: number;
  /** Requests with an unknown price. */
  readonly unpriced: number;
}

/** One invariant and its result. */
export interface AuditCheck {
  /** The compared values. */
  readonly claim: string;
  readonly holds: boolean;
}

/** The result of an audit. */
export interface AuditReport {
  readonly checks: readonly AuditCheck[];
  /** Rows that exist, and rows that were pruned. */
  readonly rows: number;
  readonly pruned: number;
  /** Requests that still run. */
  readonly running: number;
  /** Requests without a row, because writing had failed for too long. */
  readonly dropped: number;
}

/** Reads the ledger. Days are in UTC. */
export interface LedgerReader {
  /** Resolves with sums of the ended requests. Days are sorted by time, other groups by requests, most first. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]>;
  /** Compares all rows with the totals, which takes seconds for millions of rows. */
  audit(): Promise<AuditReport>;
}

/** What `begin` has recovered, and the new write-ahead log. */
export interface WriterStart {
  /** Requests that other processes left open. */
  readonly crashed: number;
  /** Rows recovered from write-ahead files. */
  readonly recovered: number;
  /** New names of damaged write-ahead files. */
  readonly damaged: readonly string[];
  /** The write-ahead log; undefined for a store in memory. */
  readonly ahead: WriteAheadLog | undefined;
}

/** Writes the ledger. Synchronous because it is always local: no request waits for the network. */
export interface LedgerWriter {
  /**
   * Registers this process as a writer; called before `write`. Stores the write-ahead files of ended processes and closes
   * their open rows as `crashed`. Throws a StartupError if the rows can't be read or written.
   */
  begin(): WriterStart;
  /**
   * Writes a batch in one transaction. Returns false at once if another process holds the lock; throws if the write fails.
   * Either way the batch may be passed again.
   */
  write(batch: LedgerBatch): boolean;
  /**
   * Deletes a bounded number of rows of the days before that of `before` (ms since 1970) and returns the number; 0: none are
   * left. The daily sums stay. Throws if deleting fails.
   */
  prune(before: number): number;
}

/** Stores the usage ledger, and reads from it the past usage that limits and budgets need. */
export interface LedgerStore extends LedgerReader, LedgerWriter {
  /** Resolves with what a key was charged since the start of the day of `since` (ms since 1970). */
  spentSince(key: string, since: number): Promise<Spent>;
  /** Returns the admissions since a time (ms since 1970), oldest first. */
  admissionsSince(since: number): AsyncIterable<PastAdmission>;
}

/** Returns whether an answer came without an upstream call of its own. */
export function isHit(cache: CacheState): boolean {
  return cache === "hit" || cache === "follow";
}

/** Returns the tokens of a cached or shared answer that this request didn't pay for. */
export function savedTokens({ cache, usage, paid }: Closed): number {
  const isPaid = (paid.input ?? 0) + (paid.output ?? 0) > 0;
  return isHit(cache) && !isPaid ? (usage.input ?? 0) + (usage.output ?? 0) : 0;
}
