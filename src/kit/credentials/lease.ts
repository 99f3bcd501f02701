import { UpstreamError } from "../../contract/index.ts";
import type { Json } from "../../contract/index.ts";
import type { Clock } from "../clock.ts";
import { versionOf } from "./entry.ts";
import type { Entry, Loan } from "./entry.ts";
import type { Jobs } from "./jobs.ts";
import type { CredentialSet } from "./credential-set.ts";
import type { Lease } from "./types.ts";

/** A clean-up that hangs must not keep a credential from everybody else. */
const LONGEST_KEPT = 30_000;

/** What a lease needs to know. */
export interface LeaseTerms<C extends Json> {
  readonly entry: Entry<C>;
  readonly loan: Loan;
  readonly roster: CredentialSet<C>;
  readonly jobs: Jobs;
  readonly clock: Clock;
  /** Aborted when the pool is closed: what failed then, or later, says nothing about the credential. */
  readonly closing: AbortSignal;
  /** Called after each report, and when the lease is given back. */
  readonly changed: () => void;
}

/** The loan of a credential to one call. */
export class PoolLease<C extends Json> implements Lease<C> {
  readonly id: string;
  readonly version: string;
  readonly credential: C;
  readonly #terms: LeaseTerms<C>;
  #isReturned = false;
  /** Clean-ups that still need it. */
  #kept = 0;

  constructor(terms: LeaseTerms<C>) {
    this.id = terms.entry.id;
    this.version = versionOf(terms.entry);
    this.credential = terms.entry.credential;
    this.#terms = terms;
  }

  get newest(): C {
    return this.#terms.entry.credential;
  }

  keepUntil(cleanUp: Promise<unknown>): void {
    const { jobs, clock } = this.#terms;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancelTimer = clock.after(LONGEST_KEPT, resolve);
    const done = cleanUp.then(
      () => undefined,
      () => undefined,
    );
    this.#kept++;
    jobs.run(
      Promise.race([done, late]).then(() => {
        cancelTimer();
        this.#kept--;
        if (this.#isReturned) this.#giveBack();
      }),
    );
  }

  failed(error: unknown): void {
    const { entry, roster, closing, changed } = this.#terms;
    if (closing.aborted || !UpstreamError.is(error)) return;
    // A refusal of a credential that was refreshed meanwhile says nothing about the new one.
    if (error.code === "rejected" && this.credential === entry.credential) roster.rejected(entry, error);
    if (error.code === "rate-limited" || error.code === "out-of-credit") roster.rateLimited(entry, error);
    changed();
  }

  succeeded(): void {
    const { entry, loan, roster, closing, changed } = this.#terms;
    if (closing.aborted) return;
    roster.succeeded(entry, loan);
    changed();
  }

  [Symbol.dispose](): void {
    if (this.#isReturned) return;
    this.#isReturned = true;
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#kept > 0) return;
    const { entry, loan, roster, changed } = this.#terms;
    roster.giveBack(entry, loan);
    changed();
  }
}
