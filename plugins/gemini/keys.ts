import { UpstreamError } from "modelyard/plugin";
import type { Call, Host, Json } from "modelyard/plugin";
import { credentialPool } from "modelyard/kit";
import type { Clock, CredentialPool } from "modelyard/kit";

/** The configured API keys: a single one is simply used, of several the least busy that isn't resting. */
export class Keys {
  readonly #all: readonly string[];
  readonly #pool: CredentialPool<string> | undefined;
  #turn = 0;

  constructor(all: readonly string[], host: Host, clock?: Clock) {
    this.#all = all;
    for (const key of all) host.secret(key);
    if (all.length === 1) return;
    const options = { min: 0, max: all.length, ...(clock && { clock }) };
    this.#pool = credentialPool(
      {
        identify: nameOf,
        secrets: (key) => [key],
        forgiving: true,
        accounts: all.map((key) => ({ id: nameOf(key), open: () => Promise.resolve(key) })),
      },
      options,
      host,
    );
  }

  start(): void {
    this.#pool?.start();
  }

  /** A key for what is no request of a client's: each in turn. */
  next(): string {
    return this.#all[this.#turn++ % this.#all.length] ?? "";
  }

  /** Runs `use` with a key; what fails because of the key is told so, that another may be tried at once. */
  async *lend<T>(
    call: Pick<Call, "id" | "signal">,
    use: (key: string) => AsyncIterable<T>,
  ): AsyncGenerator<T, void> {
    if (!this.#pool) return yield* use(this.next());
    using lease = await this.#pool.lease(call);
    try {
      yield* use(lease.credential);
      lease.succeeded();
    } catch (error) {
      if (!UpstreamError.is(error)) throw error;
      lease.failed(error);
      throw BLAMED.has(error.code) && this.#pool.offers() ? withAnother(error) : error;
    }
  }

  status(): Json {
    return this.#pool?.status() ?? { keys: this.#all.length };
  }
}

function nameOf(key: string): string {
  return new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, 16);
}

/** The failures that are a key's own. */
const BLAMED = new Set(["rejected", "rate-limited"]);

function withAnother({ code, message, cause, retryAfterMs }: UpstreamError): UpstreamError {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new UpstreamError(code, message, { cause, otherCredential: true, ...wait });
}
