import { FAILURES, Secret, Type, UpstreamError } from "../../contract/index.ts";
import type { Batches, Call, ChatEvent, ChatStream, Host, Json, NextBatch } from "../../contract/index.ts";
import { Stage } from "../../runtime/stage.ts";
import type { Clock } from "../clock.ts";
import { credentialPool } from "./pool.ts";
import type { CredentialPool, Lease, LeaseCall } from "./types.ts";
import { CredentialExclusions, withOtherCredential } from "./exclusions.ts";

/** The schema of one of several API keys in a plugin's options. */
export const apiKeyOption = Type.Object(
  {
    key: Secret({ description: "The API key." }),
    weight: Type.Number({
      exclusiveMinimum: 0,
      default: 1,
      description: "Its share of the requests beside the others.",
    }),
  },
  { additionalProperties: false },
);

/** A configured API key. */
export interface ApiKey {
  readonly key: string;
  /** Its share of the requests beside the others; 1 by default. */
  readonly weight?: number;
}

type KeyCall = LeaseCall & Pick<Call, "attempt">;

/**
 * The API keys of one upstream: none, one or several. A single key is always used, and the client gets the upstream's
 * errors. Of several keys one is lent for each attempt, by weight. A key that is rejected, out of credit or at its limit
 * cools down, and is not used again for the same request. Errors caused by a key have `otherCredential` if another key
 * can serve the request at once.
 */
export class ApiKeys {
  readonly #single: string | undefined;
  readonly #keys = new Map<string, ApiKey>();
  readonly #pool: CredentialPool<string> | undefined;
  /** The last error of each key that is cooling. */
  readonly #errors = new Map<string, UpstreamError>();
  readonly #exclusions = new CredentialExclusions();

  constructor(keys: readonly ApiKey[], host: Host, clock?: Clock) {
    for (const each of keys) {
      host.secret(each.key);
      this.#keys.set(nameOf(each.key), each);
    }
    this.#single = keys[0]?.key;
    if (this.#keys.size > 1) this.#pool = this.#poolIn(host, clock);
  }

  /** Starts the pool of keys; to be called in the upstream's `start`. */
  start(): void {
    this.#pool?.start();
  }

  /**
   * Runs a request that any key may make and no client waits for, such as the list of models: with the first key, and
   * if that key causes an error, with the others. Rejects with the first key's error.
   */
  async askWithAny<T>(ask: (key: string | undefined) => Promise<T>, signal: AbortSignal): Promise<T> {
    const [first, ...others] = this.#keys.values();
    try {
      return await ask(first?.key);
    } catch (error) {
      for (const { key } of isCausedByKey(error) ? others : []) {
        signal.throwIfAborted();
        const answer = await ask(key).then(
          (value) => ({ value }),
          () => undefined,
        );
        if (answer) return answer.value;
      }
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Runs `use` with a key, or with none where none is configured. */
  async lend<T>(call: KeyCall, use: (key: string | undefined) => Promise<T>): Promise<T> {
    if (!this.#pool) return use(this.#single);
    using lease = await this.#lease(this.#pool, call);
    // Without the await the lease would be given back before the call is over.
    return await this.#used(lease, call, use(this.#keys.get(lease.id)?.key));
  }

  /** Runs `use` like `lend`, for a stream: an error within it may be caused by the key, too. */
  lendFor(call: KeyCall, use: (key: string | undefined) => Promise<ChatStream>): Promise<ChatStream> {
    return this.#pool ? this.#lendOneFor(this.#pool, call, use) : use(this.#single);
  }

  async #lendOneFor(
    pool: CredentialPool<string>,
    call: KeyCall,
    use: (key: string | undefined) => Promise<ChatStream>,
  ): Promise<ChatStream> {
    using lease = await this.#lease(pool, call);
    const stream = await this.#used(lease, call, use(this.#keys.get(lease.id)?.key));
    return rethrowing(stream, (error) => this.#blame(lease, call, error));
  }

  /** Returns the number or the states of the keys, without secrets. */
  status(): Json {
    return this.#pool?.status() ?? { keys: this.#keys.size };
  }

  async #lease(pool: CredentialPool<string>, call: KeyCall): Promise<Lease<string>> {
    try {
      return await pool.lease(call, { except: this.#exclusions.of(call) });
    } catch (error) {
      if (!UpstreamError.is(error) || error.code !== "no-credential") throw error;
      throw this.#explained(error);
    }
  }

  async #used<T>(lease: Lease<string>, call: KeyCall, using: Promise<T>): Promise<T> {
    try {
      const result = await using;
      lease.succeeded();
      this.#errors.delete(lease.id);
      return result;
    } catch (error) {
      throw this.#blame(lease, call, error);
    }
  }

  #blame(lease: Lease<string>, call: KeyCall, error: unknown): unknown {
    if (!isCausedByKey(error)) return error;
    lease.failed(error);
    this.#errors.set(lease.id, error);
    const except = this.#exclusions.add(call, lease);
    return this.#pool?.isAvailable({ except }) ? withOtherCredential(error) : error;
  }

  /** Returns why no key is available: the upstream's error instead of the pool's. */
  #explained(error: UpstreamError): UpstreamError {
    const errors = [...this.#errors.values()];
    const cause = errors.find(({ code }) => code === "rate-limited") ?? errors[0];
    if (!cause) return error;
    const { retryAfterMs } = error;
    return new UpstreamError(cause.code, `no API key is available: ${cause.message}`, {
      cause,
      retryAfterMs,
    });
  }

  #poolIn(host: Host, clock: Clock | undefined): CredentialPool<string> {
    const names = [...this.#keys.keys()];
    return credentialPool<string>(
      {
        // Only names are stored: the keys themselves stay in the configuration.
        identify: (name) => name,
        secrets: () => [],
        accounts: names.map((name) => ({ id: name, open: async () => name })),
        weight: (name) => this.#keys.get(name)?.weight ?? 1,
        retryRejected: true,
      },
      // A limit may concern only one model or size of request, so that no call waits for a probe.
      { min: names.length, max: names.length, probes: Infinity, ...(clock && { clock }) },
      host,
    );
  }
}

/** Returns a name for a key that doesn't reveal it. */
function nameOf(key: string): string {
  return `key-${new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, 8)}`;
}

type Change = (error: unknown) => unknown;

function rethrowing(stream: ChatStream, change: Change): ChatStream {
  const batches = stream.batches?.bind(stream);
  return {
    [Symbol.asyncIterator]: () => iterating(stream[Symbol.asyncIterator](), change),
    ...(batches && { batches: () => new RethrowingStage(batches(), change) }),
  };
}

class RethrowingStage extends Stage<NextBatch, NextBatch> implements Batches {
  readonly #inner: Batches;
  readonly #change: Change;

  constructor(inner: Batches, change: Change) {
    super();
    this.#inner = inner;
    this.#change = change;
  }

  async return(): Promise<unknown> {
    return this.#inner.return?.();
  }

  protected override read(): NextBatch | PromiseLike<NextBatch> {
    return this.#inner.next();
  }

  protected override map(next: NextBatch): NextBatch {
    return next;
  }

  protected override fail(error: unknown): never {
    throw this.#change(error);
  }
}

function iterating(inner: AsyncIterator<ChatEvent, void>, change: Change): AsyncIterator<ChatEvent, void> {
  return {
    async next() {
      try {
        return await inner.next();
      } catch (error) {
        throw change(error);
      }
    },
    async return() {
      await inner.return?.();
      return { done: true, value: undefined };
    },
  };
}

function isCausedByKey(error: unknown): error is UpstreamError {
  return UpstreamError.is(error) && FAILURES[error.code].blame === "credential";
}
