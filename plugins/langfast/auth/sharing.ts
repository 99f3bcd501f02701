import type { Call } from "modelyard/plugin";
import type { CredentialPool, Lease } from "modelyard/credentials";
import type { Credential } from "./credentials.ts";

/** A leased credential, and whether it is leased exclusively. */
export interface RunLease {
  readonly lease: Lease<Credential>;
  readonly isExclusive: boolean;
}

/** The call that a credential is leased for, and the ids of the credentials it excludes. */
export interface RunLeaseCall extends Pick<Call, "id" | "signal" | "queued"> {
  readonly except: ReadonlySet<string>;
}

/**
 * Decides whether one credential may carry several runs at once. Sharing is enabled once all events of a run, its end
 * included, carried the id from the answer that started it, and disabled when a chunk without an id arrives.
 */
export class CredentialSharing {
  #isEnabled = false;
  #lacksIds = false;
  #enabled = new AbortController();

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  /** Whether the service has last been seen to leave out ids. */
  get lacksIds(): boolean {
    return this.#lacksIds;
  }

  enable(): void {
    if (this.#isEnabled) return;
    this.#isEnabled = true;
    this.#lacksIds = false;
    this.#enabled.abort();
  }

  disable(): void {
    this.#lacksIds = true;
    if (!this.#isEnabled) return;
    this.#isEnabled = false;
    this.#enabled = new AbortController();
  }

  /** Leases a credential, exclusively unless sharing is enabled when the lease is granted. Waits as the pool does. */
  async lease(pool: CredentialPool<Credential>, call: RunLeaseCall): Promise<RunLease> {
    for (;;) {
      const isExclusive = !this.#isEnabled;
      const lease = isExclusive
        ? await this.#leaseExclusive(pool, call)
        : await pool.lease(call, { except: call.except });
      if (!lease) continue;
      if (isExclusive || this.#isEnabled) return { lease, isExclusive };
      lease[Symbol.dispose]();
    }
  }

  /** Returns undefined if sharing was enabled meanwhile: the caller need not wait for an idle credential any more. */
  async #leaseExclusive(
    pool: CredentialPool<Credential>,
    { id, signal, except, queued }: RunLeaseCall,
  ): Promise<Lease<Credential> | undefined> {
    const enabled = this.#enabled.signal;
    using either = anySignal(signal, enabled);
    try {
      return await pool.lease({ id, signal: either.signal, queued }, { except, exclusive: true });
    } catch (error) {
      if (enabled.aborted && !signal.aborted) return undefined;
      throw error;
    }
  }
}

/** Returns a signal that aborts with either. Unlike `AbortSignal.any` it removes its listeners when disposed of. */
function anySignal(one: AbortSignal, other: AbortSignal): Disposable & { readonly signal: AbortSignal } {
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
