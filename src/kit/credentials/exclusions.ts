import { optionsOf } from "../../contract/error.ts";
import { UpstreamError } from "../../contract/index.ts";
import type { Call } from "../../contract/index.ts";

/** So many requests' refusals are remembered; who comes back after more than that may get a refused credential again. */
const REMEMBERED = 1000;

interface Refused {
  /** The last attempt of the request in which one was refused. */
  readonly attempt: number;
  readonly versions: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/** Which credentials were refused in which request, so that no request tries one of them twice: one that was refreshed is another. */
export class Refusals {
  readonly #requests = new Map<string, Refused>();

  /** The versions of those that earlier attempts of this request have met. */
  of({ id, attempt }: Pick<Call, "id" | "attempt">): ReadonlySet<string> {
    const refused = this.#requests.get(id);
    // Clients may give several requests the same id: an attempt that doesn't come later is another request's.
    return refused && refused.attempt < attempt ? refused.versions : NONE;
  }

  /** Remembers one more; gives all of this request, it included. */
  add(call: Pick<Call, "id" | "attempt">, lease: { readonly version: string }): ReadonlySet<string> {
    const { id, attempt } = call;
    const versions = new Set([...this.of(call), lease.version]);
    this.#requests.delete(id);
    this.#requests.set(id, { attempt, versions });
    const [oldest] = this.#requests.keys();
    if (this.#requests.size > REMEMBERED && oldest !== undefined) this.#requests.delete(oldest);
    return versions;
  }
}

/** The same failure, saying that the same upstream can be asked again at once with another credential. */
export function withOtherCredential(error: UpstreamError): UpstreamError {
  const options = { ...optionsOf(error), cause: error, otherCredential: true };
  return new UpstreamError(error.code, error.message, options);
}
