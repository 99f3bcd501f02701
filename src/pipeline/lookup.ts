import type { Answer, Provenance } from "../attempts/answer.ts";
import type { CacheDirectives } from "../cache/cache-control.ts";
import { cacheDirectives } from "../cache/cache-control.ts";
import type { KeyParts } from "../cache/cache-key.ts";
import { cacheKey } from "../cache/cache-key.ts";
import type { EventBuffer } from "../cache/event-buffer.ts";
import type { ResponseCache } from "../cache/response-cache.ts";
import { isWorthKeeping } from "../cache/worth-keeping.ts";
import { isNumber } from "../contract/index.ts";
import type { GenerateRequest } from "../dialects/model-request.ts";
import type { Ticket } from "./admission/admit.ts";

/** A request whose answer may be kept and shared, and the key that it has in the cache. Only `lookup` makes one. */
class Lookup {
  declare protected readonly step: "looked-up";
  readonly ticket: Ticket<GenerateRequest>;
  readonly cache: ResponseCache;
  readonly directives: CacheDirectives;
  readonly key: string;
  readonly #parts: KeyParts;
  readonly #isRemembered: boolean;

  constructor(ticket: Ticket<GenerateRequest>, { cache, parts, directives }: CachePlace) {
    this.ticket = ticket;
    this.cache = cache;
    this.directives = directives;
    this.#parts = parts;
    const remembered = cache.repeated.keyOf(ticket.request, parts);
    this.#isRemembered = remembered !== undefined;
    this.key = remembered ?? cacheKey(ticket.request, parts);
  }

  /** The key of a call to upstreams that other requests may join; undefined where it is for this request alone. */
  get sharedKey(): string | undefined {
    // Two names may lead to the same model first and then to others: only who asked for the same shares it all.
    return this.directives.noCache ? undefined : `${this.key} ${this.ticket.request.model}`;
  }

  /** The key is known by the request's bytes from now on. */
  remember(): void {
    if (!this.#isRemembered) this.cache.repeated.remember(this.ticket.request, this.#parts, this.key);
  }

  /** Keeps a whole answer, if it may be given again. */
  keep(answered: Provenance, events: EventBuffer): void {
    const { upstream, model } = this.#parts.target;
    // What another target said is not what this one would say when it is well again.
    const isFirst = answered.upstream === upstream.id && answered.upstreamModel === model;
    if (isFirst && isWorthKeeping(events)) this.cache.set(this.key, answered, events);
  }
}

export type { Lookup };

/** Where the answer to a request is in the cache, and what its client says of that. */
export interface CachePlace {
  readonly cache: ResponseCache;
  readonly parts: KeyParts;
  readonly directives: CacheDirectives;
}

/** Returns the place of a request in the cache; undefined where its answer is neither kept nor shared. */
export function lookup(ticket: Ticket<GenerateRequest>): Lookup | undefined {
  const { cache } = ticket.exchange.gateway;
  const place = cache && mayKeep(ticket.request, cache) ? placeInCache(ticket, cache) : undefined;
  return place && new Lookup(ticket, place);
}

/** Returns undefined where the client wants nothing kept. */
export function placeInCache(ticket: Ticket, cache: ResponseCache): CachePlace | undefined {
  const { exchange, plan, headers } = ticket;
  const [target] = plan.targets;
  const directives = cacheDirectives(exchange.http.headers.get("cache-control"));
  if (!target || directives.noStore) return undefined;
  const sharedBy = cache.scope === "key" ? ticket.caller.hash : undefined;
  return { cache, directives, parts: { endpoint: exchange.path, target, sharedBy, headers } };
}

/** Whether the same request may get the same answer again. */
function mayKeep(request: GenerateRequest, { mode }: ResponseCache): boolean {
  if (request.keepsState) return false;
  return mode === "all" || request.member("temperature") === 0 || isNumber(request.member("seed"));
}

/** Returns the answer that the cache has for a request. */
export function cached(found: Lookup | undefined): Answer | undefined {
  if (!found || found.directives.noCache) return undefined;
  const entry = found.cache.get(found.key, found.directives.maxAge);
  if (!entry) return undefined;
  found.remember();
  const { upstream, upstreamModel } = entry.answered;
  found.ticket.note({ upstream, upstreamModel, cache: "hit" });
  return {
    ...entry.answered,
    attempts: 0,
    content: entry.events(),
    cache: "hit",
    age: Math.floor(entry.age / 1000),
    encoded: entry.encoded,
    pays: neverPays,
  };
}

/** What comes from the cache costs nothing. */
export function neverPays(): boolean {
  return false;
}

/** Returns a share in the answer to the same request that is under way. */
export function joined(found: Lookup | undefined): Promise<Answer> | undefined {
  const key = found?.sharedKey;
  const running = key === undefined ? undefined : found?.cache.coalescer.find(key);
  if (!found || !running) return undefined;
  found.ticket.note({ cache: "follow" });
  return running.subscribe(found.ticket, "follow");
}
