import type { CountedUsage } from "../answer/answer-event.ts";
import type { Answer, Provenance } from "../attempts/answer.ts";
import { cacheKey, inputKeys } from "../cache/cache-key.ts";
import type { CachedVector } from "../cache/response-cache.ts";
import type { EmbedInput, EmbedResult } from "../contract/index.ts";
import type { VectorRequest } from "../dialects/model-request.ts";
import { inputTokens } from "../usage/token-estimate.ts";
import type { Ticket } from "./admission/admit.ts";
import type { CachePlace } from "./lookup.ts";
import { neverPays, placeInCache } from "./lookup.ts";

/** Vectors that were read from the cache cost nothing; `isExact`: an upstream has told their tokens. */
interface Reused {
  readonly tokens: number;
  readonly isExact: boolean;
}

/**
 * What the cache has for the inputs of a request for vectors. A vector depends on its input alone, so each has its own
 * entry. Only `lookupVectors` makes one.
 */
class VectorLookup {
  declare protected readonly step: "vectors-looked-up";
  readonly ticket: Ticket<VectorRequest>;
  /** The request for what the cache doesn't have. */
  readonly asked: VectorRequest;
  readonly #place: CachePlace | undefined;
  readonly #keys: readonly string[];
  readonly #found: readonly (CachedVector | undefined)[];

  constructor(ticket: Ticket<VectorRequest>, place: CachePlace | undefined) {
    const { request } = ticket;
    this.ticket = ticket;
    this.#place = place;
    this.#keys = place ? inputKeys(cacheKey(request.withInputs([]), place.parts), request.inputs) : [];
    const { noCache, maxAge } = place?.directives ?? { noCache: true };
    this.#found = request.inputs.map((_, index) =>
      noCache ? undefined : place?.cache.vector(this.#keys[index] ?? "", maxAge),
    );
    const missing = request.inputs.filter((_, index) => !this.#found[index]);
    this.asked = missing.length === request.inputs.length ? request : request.withInputs(missing);
  }

  /** The answer, if the cache has all of it. */
  get answer(): Answer<EmbedResult> | undefined {
    const [first] = this.#found;
    if (!first || this.asked.inputs.length > 0) return undefined;
    const ages = this.#found.map((vector) => vector?.age ?? 0);
    return {
      ...first.answered,
      attempts: 0,
      content: { ...first.model, vectors: [] },
      cache: "hit",
      age: Math.floor(Math.max(...ages) / 1000),
      pays: neverPays,
    };
  }

  get state(): Answer["cache"] {
    return this.#place && !this.#place.directives.noCache ? "miss" : "bypass";
  }

  get reused(): Reused {
    const found = this.#found.filter((vector) => vector !== undefined);
    return {
      tokens: found.reduce((sum, { tokens }) => sum + tokens, 0),
      isExact: found.every(({ isExact }) => isExact),
    };
  }

  /** Returns all vectors, in the order of the inputs: those that were there, and those that came. */
  complete(came: EmbedResult): EmbedResult {
    const vectors = came.vectors.values();
    const all = this.#found.map((found) => found?.vector() ?? vectors.next().value ?? []);
    return { ...came, vectors: all };
  }

  /** Keeps what came, if it may be given again. `tokens` are those of all that was asked for. */
  keep(answered: Provenance, { vectors, model }: EmbedResult, { usage, source }: CountedUsage): void {
    const { parts, cache } = this.#place ?? {};
    if (!cache || parts?.target.upstream.id !== answered.upstream) return;
    if (parts.target.model !== answered.upstreamModel) return;
    const keys = this.#keys.filter((_, index) => !this.#found[index]);
    const tokens = shares(usage.input ?? 0, this.asked.inputs);
    const { upstream, upstreamModel, attempts, ignored } = answered;
    const kept = {
      answered: { upstream, upstreamModel, attempts, ignored },
      model: model === undefined ? {} : { model },
      isExact: source === "upstream" && keys.length === 1,
    };
    for (const [index, vector] of vectors.entries())
      cache.setVector(keys[index] ?? "", { ...kept, vector, tokens: tokens[index] ?? 0 });
  }
}

export type { VectorLookup };

/** Returns what the cache has for a request; all is missing where nothing of it may be kept. */
export function lookupVectors(ticket: Ticket<VectorRequest>): VectorLookup {
  const { cache } = ticket.exchange.gateway;
  const found = new VectorLookup(ticket, cache && placeInCache(ticket, cache));
  ticket.asks(found.asked);
  return found;
}

/** Whole tokens for each input, by its estimated length, whose sum is what was told of all. */
function shares(tokens: number, inputs: readonly EmbedInput[]): readonly number[] {
  const weights = inputs.map((input) => inputTokens([input]));
  const whole = weights.reduce((sum, weight) => sum + weight, 0) || 1;
  let weighed = 0;
  let given = 0;
  return weights.map((weight) => {
    weighed += weight;
    const share = Math.round((tokens * weighed) / whole) - given;
    given += share;
    return share;
  });
}
