import { UpstreamError } from "../../contract/index.ts";
import type { Json } from "../../contract/index.ts";
import { withDeadline } from "../clock.ts";
import type { CredentialSet, PoolContext } from "./credential-set.ts";
import { versionOf } from "./entry.ts";
import type { Loan } from "./entry.ts";
import type { Lease } from "./types.ts";

/** A clean-up that hangs must not keep a credential from other calls. */
const CLEAN_UP_DEADLINE = 30_000;

/** One call's lease of a credential. */
export class PoolLease<C extends Json> implements Lease<C> {
  readonly id: string;
  readonly version: string;
  readonly credential: C;
  readonly #context: PoolContext<C>;
  readonly #set: CredentialSet<C>;
  readonly #loan: Loan<C>;
  #isDisposed = false;
  #cleanUps = 0;

  constructor(context: PoolContext<C>, set: CredentialSet<C>, loan: Loan<C>) {
    this.id = loan.entry.id;
    this.version = versionOf(loan.entry);
    this.credential = loan.entry.credential;
    this.#context = context;
    this.#set = set;
    this.#loan = loan;
  }

  get newest(): C {
    return this.#loan.entry.credential;
  }

  keepUntil(cleanUp: Promise<unknown>): void {
    const { clock } = this.#context.settings;
    const over = (): void => {
      this.#cleanUps--;
      if (this.#isDisposed) this.#giveBack();
    };
    this.#cleanUps++;
    const deadline = { what: "the clean-up of a lease", ms: CLEAN_UP_DEADLINE, clock };
    this.#context.run(withDeadline(() => cleanUp, deadline).then(over, over));
  }

  failed(error: unknown): void {
    // A closing pool fails its calls itself: that says nothing about the credential.
    if (this.#context.signal.aborted || !UpstreamError.is(error)) return;
    const { entry } = this.#loan;
    // A rejection of a credential that was refreshed meanwhile says nothing about the new one.
    if (error.code === "rejected" && this.credential === entry.credential) this.#set.rejected(entry, error);
    if (error.code === "rate-limited" || error.code === "out-of-credit") this.#set.rateLimited(entry, error);
    this.#context.onChange();
  }

  succeeded(): void {
    if (this.#context.signal.aborted) return;
    this.#set.succeeded(this.#loan);
    this.#context.onChange();
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#cleanUps > 0) return;
    this.#set.giveBack(this.#loan);
    this.#context.onChange();
  }
}
