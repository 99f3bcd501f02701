import { UpstreamError } from "../../contract/index.ts";
import type { Json } from "../../contract/index.ts";
import type { Entry, Loan } from "./entry.ts";
import type { Roster } from "./roster.ts";
import type { Lease } from "./types.ts";

/** What a lease needs to know. */
export interface LeaseTerms<C extends Json> {
  readonly entry: Entry<C>;
  readonly loan: Loan;
  readonly roster: Roster<C>;
  /** Aborted when the pool is closed: what failed then, or later, says nothing about the credential. */
  readonly closing: AbortSignal;
  /** Called after each report, and when the lease is given back. */
  readonly changed: () => void;
}

/** The loan of a credential to one call. */
export class PoolLease<C extends Json> implements Lease<C> {
  readonly id: string;
  readonly credential: C;
  readonly #terms: LeaseTerms<C>;
  #returned = false;

  constructor(terms: LeaseTerms<C>) {
    this.id = terms.entry.id;
    this.credential = terms.entry.credential;
    this.#terms = terms;
  }

  failed(error: unknown): void {
    const { entry, roster, closing, changed } = this.#terms;
    if (closing.aborted || !UpstreamError.is(error)) return;
    // A refusal of a credential that was refreshed meanwhile says nothing about the new one.
    if (error.code === "rejected" && this.credential === entry.credential) roster.rejected(entry, error);
    if (error.code === "rate-limited") roster.rateLimited(entry, error);
    changed();
  }

  succeeded(): void {
    const { entry, loan, roster, closing, changed } = this.#terms;
    if (closing.aborted) return;
    roster.succeeded(entry, loan);
    changed();
  }

  [Symbol.dispose](): void {
    if (this.#returned) return;
    this.#returned = true;
    const { entry, loan, roster, changed } = this.#terms;
    roster.giveBack(entry, loan);
    changed();
  }
}
