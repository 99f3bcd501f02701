import { optionsOf } from "../../contract/error.ts";
import { UpstreamError } from "../../contract/index.ts";
import type { Call } from "../../contract/index.ts";

/** The most requests that are remembered; a request forgotten by then may get a failed credential again. */
const MAX_REQUESTS = 1000;

interface ExcludedVersions {
  /** The last attempt that excluded one. */
  readonly attempt: number;
  readonly versions: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/** Remembers which credentials failed in which request, so that no request gets the same version of one twice. */
export class CredentialExclusions {
  readonly #requests = new Map<string, ExcludedVersions>();

  /** Returns the versions that failed in earlier attempts of this request, for `LeaseOptions.except`. */
  of({ id, attempt }: Pick<Call, "id" | "attempt">): ReadonlySet<string> {
    const excluded = this.#requests.get(id);
    // Clients may give several requests the same id: an attempt that doesn't come later is another request's.
    return excluded && excluded.attempt < attempt ? excluded.versions : NONE;
  }

  /** Adds a lease's version, and returns all versions that are excluded in this request. */
  add(call: Pick<Call, "id" | "attempt">, lease: { readonly version: string }): ReadonlySet<string> {
    const { id, attempt } = call;
    const versions = new Set([...this.of(call), lease.version]);
    this.#requests.delete(id);
    this.#requests.set(id, { attempt, versions });
    const [oldest] = this.#requests.keys();
    if (this.#requests.size > MAX_REQUESTS && oldest !== undefined) this.#requests.delete(oldest);
    return versions;
  }
}

/** Returns the same error with `otherCredential`: the upstream can be asked again at once with another credential. */
export function withOtherCredential(error: UpstreamError): UpstreamError {
  const options = { ...optionsOf(error), cause: error, otherCredential: true };
  return new UpstreamError(error.code, error.message, options);
}
