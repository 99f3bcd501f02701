import { FAILURES, Secret, Type, UpstreamError } from "../../contract/index.ts";
import { ReusableDeferred } from "../../runtime/reusable-deferred.ts";
import type { Batches, Call, ChatEvent, ChatStream, Host, Json, NextBatch } from "../../contract/index.ts";
import type { Continuation } from "../../runtime/reusable-deferred.ts";
import { isPending, subscribeOnce } from "../../runtime/reusable-deferred.ts";
import type { Clock } from "../clock.ts";
import { credentialPool } from "./pool.ts";
import type { CredentialPool, Lease, LeaseCall } from "./types.ts";
import { Refusals, withOtherCredential } from "./exclusions.ts";

/** One of several API keys, as a plugin's options have it. */
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

/** An API key that the configuration gives. */
export interface ApiKey {
  readonly key: string;
  /** Its share of the requests beside the others; 1 unless told. */
  readonly weight?: number;
}

type KeyCall = LeaseCall & Pick<Call, "attempt">;

/**
 * The API keys of one upstream, with or without any. A single one is simply used: what the upstream says of it
 * is what the client hears. Of several one is lent for each attempt, by weight; one that is at its limit (429) or
 * refused (401, 403) rests and is tried again later, and is not used again for the same request. What fails
 * because of a key says so with `otherCredential` if another one could serve the request at once.
 */
export class ApiKeys {
  readonly #single: string | undefined;
  readonly #keys = new Map<string, ApiKey>();
  readonly #pool: CredentialPool<string> | undefined;
  /** The last refusal of each key that rests. */
  readonly #refusals = new Map<string, UpstreamError>();
  readonly #requests = new Refusals();

  constructor(keys: readonly ApiKey[], host: Host, clock?: Clock) {
    for (const each of keys) {
      host.secret(each.key);
      this.#keys.set(nameOf(each.key), each);
    }
    this.#single = keys[0]?.key;
    if (this.#keys.size > 1) this.#pool = this.#poolIn(host, clock);
  }

  /** Must be called when the upstream starts. */
  start(): void {
    this.#pool?.start();
  }

  /**
   * What is no request of a client's, and any key may ask, such as the list of models: asked with the first one, and
   * where that is refused or at its limit, with the others. Rejects with what the first one was told.
   */
  async askWithAny<T>(ask: (key: string | undefined) => Promise<T>, signal: AbortSignal): Promise<T> {
    const [first, ...others] = this.#keys.values();
    try {
      return await ask(first?.key);
    } catch (error) {
      for (const { key } of isKeysFault(error) ? others : []) {
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

  /** The same for an answer that comes piece by piece: a failure within it may be the key's, too. */
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

  /** For people, without secrets. */
  status(): Json {
    return this.#pool?.status() ?? { keys: this.#keys.size };
  }

  async #lease(pool: CredentialPool<string>, call: KeyCall): Promise<Lease<string>> {
    try {
      return await pool.lease(call, { except: this.#requests.of(call) });
    } catch (error) {
      if (!UpstreamError.is(error) || error.code !== "no-credential") throw error;
      throw this.#explained(error);
    }
  }

  async #used<T>(lease: Lease<string>, call: KeyCall, using: Promise<T>): Promise<T> {
    try {
      const result = await using;
      lease.succeeded();
      this.#refusals.delete(lease.id);
      return result;
    } catch (error) {
      throw this.#blame(lease, call, error);
    }
  }

  #blame(lease: Lease<string>, call: KeyCall, error: unknown): unknown {
    if (!isKeysFault(error)) return error;
    lease.failed(error);
    this.#refusals.set(lease.id, error);
    const except = this.#requests.add(call, lease);
    return this.#pool?.isAvailable({ except }) ? withOtherCredential(error) : error;
  }

  /** Why there is no key to be had, in the words of the upstream that refused them. */
  #explained(error: UpstreamError): UpstreamError {
    const refusals = [...this.#refusals.values()];
    const cause = refusals.find(({ code }) => code === "rate-limited") ?? refusals[0];
    if (!cause) return error;
    const { retryAfterMs } = error;
    return new UpstreamError(cause.code, `no API key can be used at present: ${cause.message}`, {
      cause,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  #poolIn(host: Host, clock: Clock | undefined): CredentialPool<string> {
    const names = [...this.#keys.keys()];
    return credentialPool<string>(
      {
        // The keys themselves stay out of the storage: they stand in the configuration.
        identify: (name) => name,
        secrets: () => [],
        accounts: names.map((name) => ({ id: name, open: async () => name })),
        weight: (name) => this.#keys.get(name)?.weight ?? 1,
        retryRejected: true,
      },
      // A rest says nothing of the requests of another size or for another model, so nobody waits for a probe.
      { min: names.length, max: names.length, probes: Infinity, ...(clock && { clock }) },
      host,
    );
  }
}

/** Tells keys apart without giving them away. */
function nameOf(key: string): string {
  return `key-${new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, 8)}`;
}

type Change = (error: unknown) => unknown;

function rethrowing(stream: ChatStream, change: Change): ChatStream {
  const batches = stream.batches?.bind(stream);
  return {
    [Symbol.asyncIterator]: () => iterating(stream[Symbol.asyncIterator](), change),
    ...(batches && { batches: () => new Rethrowing(batches(), change) }),
  };
}

class Rethrowing implements Batches, Continuation<NextBatch> {
  readonly #inner: Batches;
  readonly #change: Change;
  readonly #later = new ReusableDeferred<NextBatch>();

  constructor(inner: Batches, change: Change) {
    this.#inner = inner;
    this.#change = change;
  }

  next(): NextBatch | ReusableDeferred<NextBatch> {
    let next: NextBatch | PromiseLike<NextBatch>;
    try {
      next = this.#inner.next();
    } catch (error) {
      throw this.#change(error);
    }
    if (!isPending(next)) return next;
    subscribeOnce(next, this);
    return this.#later;
  }

  async return(): Promise<unknown> {
    return this.#inner.return?.();
  }

  onValue(next: NextBatch): void {
    this.#later.resolve(next);
  }

  onError(error: unknown): void {
    this.#later.reject(this.#change(error));
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

function isKeysFault(error: unknown): error is UpstreamError {
  return UpstreamError.is(error) && FAILURES[error.code].blame === "credential";
}
