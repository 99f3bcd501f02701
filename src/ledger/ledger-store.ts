import type { WriteAheadLog } from "./write-ahead.ts";
import type { Admitted, CacheState, Closed, Outcome, PastAdmission, Spent } from "./ledger-row.ts";

/** One admitted request, as it is written. */
export interface LedgerRow {
  /** Its number among the requests of this process; with the process it makes the row's id. */
  readonly number: number;
  readonly admitted: Admitted;
  /** Undefined while it runs. */
  readonly closed: Closed | undefined;
  /** Whether it has been written already, as one that was running. */
  readonly isWritten: boolean;
}

/** What is counted of rows; of their columns the sums. */
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
  /** USD, of the requests whose price is known. */
  readonly cost: number;
  /** Requests whose price is not known. */
  readonly unpriced: number;
}

/** What is written in one transaction. */
export interface LedgerBatch {
  /** 1, 2, 3 … : so that one whose writing seemed to fail isn't written twice. */
  readonly number: number;
  readonly rows: readonly LedgerRow[];
  /** What these rows add to the totals, counted request by request and not from the rows. */
  readonly counts: LedgerSums;
  /** Requests that were admitted and for whose rows there was no room. */
  readonly dropped: number;
}

/** What usage may be grouped by. */
export type UsageGrouping = "key" | "model" | "day" | "upstream";

/** What is asked of the daily sums. */
export interface UsageQuery {
  readonly by: UsageGrouping;
  /** Milliseconds since 1970; the whole UTC day it is in counts. Left out: all there is. */
  readonly since?: number | undefined;
  /** Only this key's. */
  readonly key?: string | undefined;
}

/** The ended requests of one group. */
export interface UsageRow extends Readonly<Record<Outcome, number>> {
  /** A key, a model, a day as 2026-01-31, or an upstream; empty where no upstream was asked. */
  readonly name: string;
  readonly requests: number;
  /** Those that the response cache answered, or another request's call. */
  readonly hits: number;
  /** Tokens, input and output, of those hits that nobody paid for. */
  readonly saved: number;
  /** Tokens that were paid for, like all that follow but the last two. */
  readonly input: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
  /** USD, of the requests whose price is known. */
  readonly cost: number;
  /** Requests whose price is not known. */
  readonly unpriced: number;
}

/** One thing that must hold. */
export interface AuditCheck {
  /** What was compared, with its figures. */
  readonly claim: string;
  readonly holds: boolean;
}

/** Whether the books balance. */
export interface AuditReport {
  readonly checks: readonly AuditCheck[];
  /** Rows that are there, and those that were pruned. */
  readonly rows: number;
  readonly pruned: number;
  /** Requests that running gateways haven't ended yet. */
  readonly running: number;
  /** Requests without a row: the disk took nothing for so long that there was no room for more. */
  readonly dropped: number;
}

/** Reads the ledger. Days are in UTC. */
export interface LedgerReader {
  /** Resolves with sums of the ended requests. Days are sorted by time, other groups by requests, most first. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]>;
  /** Compares all rows with the totals, which takes seconds for millions of rows. */
  audit(): Promise<AuditReport>;
}

/** What a writer of the ledger finds, and is given. */
export interface WriterStart {
  /** Requests that other writers left open. */
  readonly crashed: number;
  /** Rows that were only in the write-ahead files of other writers, or only begun in the store. */
  readonly recovered: number;
  /** Write-ahead files of other writers that couldn't be read in full, as they are called now. */
  readonly damaged: readonly string[];
  /** Where what happens is written ahead; undefined: nothing outlives the process. */
  readonly ahead: WriteAheadLog | undefined;
}

/**
 * Writes the ledger. It is synchronous because it is always local: a ledger on another machine is filled from the local
 * one, so that no request ever waits for the network.
 */
export interface LedgerWriter {
  /**
   * Makes this process a writer, which comes before `write`. Stores what writers that are gone have left in their
   * write-ahead files, and closes as `crashed` what they left open. Throws a StartupError when the rows can't be read
   * or written.
   */
  begin(): WriterStart;
  /**
   * Writes a batch in one transaction. False: somebody else is writing just now, and it doesn't wait for them;
   * throws when it can't be written. Either way it may be handed over again.
   */
  write(batch: LedgerBatch): boolean;
  /**
   * Deletes some of the rows of the days before that of `before` (ms since 1970), as many as are deleted at once,
   * and gives their number; 0: there are no more. The daily sums stay. Throws when it can't.
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

/** Whether the answer came without a call of its own to an upstream. */
export function isHit(cache: CacheState): boolean {
  return cache === "hit" || cache === "follow";
}

/** Tokens of an answer that the cache gave, or another request's call, and that this request didn't pay for. */
export function savedTokens({ cache, usage, paid }: Closed): number {
  const isPaid = (paid.input ?? 0) + (paid.output ?? 0) > 0;
  return isHit(cache) && !isPaid ? (usage.input ?? 0) + (usage.output ?? 0) : 0;
}
