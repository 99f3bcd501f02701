import type { Call } from "modelyard/plugin";
import type { CredentialPool, Lease } from "modelyard/credentials";
import type { Credential } from "./credentials.ts";

/** A credential on loan, and whether for one run alone. */
export interface Loan {
  readonly lease: Lease<Credential>;
  readonly isExclusive: boolean;
}

/** Who asks for a credential, and which ones they don't want. */
export interface LoanCall extends Pick<Call, "id" | "signal" | "queued"> {
  readonly except: ReadonlySet<string>;
}

/**
 * Whether one credential may carry many runs at once. It may as soon as a whole run, its end included, was told
 * by the id that its request's answer had named; and no longer when a chunk without an id is seen.
 */
export class Sharing {
  #isProven = false;
  #proof = new AbortController();

  get isProven(): boolean {
    return this.#isProven;
  }

  prove(): void {
    if (this.#isProven) return;
    this.#isProven = true;
    this.#proof.abort();
  }

  lose(): void {
    if (!this.#isProven) return;
    this.#isProven = false;
    this.#proof = new AbortController();
  }

  /** Lends a credential in the way that is right when it is got, waiting as the pool does. */
  async lease(pool: CredentialPool<Credential>, call: LoanCall): Promise<Loan> {
    for (;;) {
      const isExclusive = !this.#isProven;
      const lease = isExclusive
        ? await this.#leaseAlone(pool, call)
        : await pool.lease(call, { except: call.except });
      if (!lease) continue;
      if (isExclusive || this.#isProven) return { lease, isExclusive };
      lease[Symbol.dispose]();
    }
  }

  /** Undefined if the proof came meanwhile: those who wait for a credential of their own needn't any more. */
  async #leaseAlone(
    pool: CredentialPool<Credential>,
    { id, signal, except, queued }: LoanCall,
  ): Promise<Lease<Credential> | undefined> {
    const proof = this.#proof.signal;
    using either = eitherOf(signal, proof);
    try {
      return await pool.lease({ id, signal: either.signal, queued }, { except, exclusive: true });
    } catch (error) {
      if (proof.aborted && !signal.aborted) return undefined;
      throw error;
    }
  }
}

/** Aborted with either; unlike `AbortSignal.any` it leaves nothing behind on a signal that lives long. */
function eitherOf(one: AbortSignal, other: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const either = new AbortController();
  const abortOne = (): void => either.abort(one.reason);
  const abortOther = (): void => either.abort(other.reason);
  one.addEventListener("abort", abortOne);
  other.addEventListener("abort", abortOther);
  if (one.aborted) abortOne();
  return {
    signal: either.signal,
    [Symbol.dispose]() {
      one.removeEventListener("abort", abortOne);
      other.removeEventListener("abort", abortOther);
    },
  };
}
