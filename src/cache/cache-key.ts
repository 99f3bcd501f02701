import type { Json, JsonObject } from "../contract/index.ts";
import { LosslessNumber } from "../contract/index.ts";
import type { RequestMembers } from "../json/request-members.ts";
import type { Target } from "../targets/route-table.ts";

/**
 * Fields that say how an answer is delivered, on whose behalf it is asked for, or where the upstream keeps what of
 * it, but never what it says. Every other field, known or not, makes a request another one.
 */
const NEVER_IN_THE_ANSWER: ReadonlySet<string> = new Set([
  // The target's name for the model stands in its place.
  "model",
  // The form; every kept answer has all of them.
  "stream",
  "stream_options",
  // The end user, and how the upstream files the request.
  "user",
  "safety_identifier",
  "metadata",
  "store",
  // What the upstream may spare itself of its own work.
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
]);

/** What an answer depends on besides the fields of its request. */
export interface KeyParts {
  /** Such as `/v1/chat/completions`. */
  readonly endpoint: string;
  /** The target that is asked first. */
  readonly target: Target;
  /** The hash of the key whose requests share answers; undefined if all keys do. */
  readonly sharedBy: string | undefined;
  /** The client's headers that upstreams are given. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Returns the key of a request: a SHA-256 that two requests share only if they ask the same of the same model of the
 * same upstream, for the same clients. The order of an object's members doesn't matter.
 */
export function cacheKey(request: RequestMembers, parts: KeyParts): string {
  const { endpoint, target, sharedBy, headers } = parts;
  const { id, plugin } = target.upstream;
  const { ownBody } = request;
  const asked = ownBody ? membersOfOwn(ownBody) : membersOfChat(request);
  const all = [endpoint, id, plugin, target.model, sharedBy ?? null, headers, asked];
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(all)).digest("base64");
}

/** Returns the keys of the inputs of a request for vectors, whose own key is that of the request without any. */
export function inputKeys(key: string, inputs: readonly Json[]): readonly string[] {
  return inputs.map((input) =>
    new Bun.CryptoHasher("sha256")
      .update(key)
      .update(JSON.stringify(ordered(input)))
      .digest("base64"),
  );
}

function membersOfChat(request: RequestMembers): JsonObject {
  const names = request.names().filter((name) => !NEVER_IN_THE_ANSWER.has(name) && !isLeftOut(request, name));
  return members(names, (name) => request.member(name));
}

/** All but the model: other APIs' answers repeat much of what was asked, and have another form where it is streamed. */
function membersOfOwn(body: JsonObject): JsonObject {
  return members(
    Object.keys(body).filter((name) => name !== "model"),
    (name) => body[name],
  );
}

/**
 * Whether a field is null, which is how some clients leave it out. Only of a text to be continued does vLLM take no
 * bound where `max_tokens` is null, and 16 tokens where it isn't there.
 */
function isLeftOut(request: RequestMembers, name: string): boolean {
  return request.member(name) === null && !(name === "max_tokens" && request.member("prompt") !== undefined);
}

/** A request that was answered from the cache, as its client wrote it. */
interface Repeated {
  readonly source: Uint8Array;
  readonly parts: KeyParts;
  readonly key: string;
}

/** Limit of the remembered requests: 4 MiB together. */
const MAX_REPEATED = 256;
const MAX_SOURCE = 16 * 1024;

/**
 * The keys of requests that were answered from the cache. A client that repeats a request mostly writes it with the same
 * bytes, and comparing those takes a tenth of the time that a key takes.
 */
export class RepeatedRequests {
  /** By the hash of their bytes, the latest last. */
  readonly #known = new Map<number | bigint, Repeated>();

  remember({ bytes: source }: RequestMembers, parts: KeyParts, key: string): void {
    if (!source || source.length > MAX_SOURCE) return;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size < MAX_REPEATED) break;
      this.#known.delete(oldest);
    }
    this.#known.set(Bun.hash(source), { source, parts, key });
  }

  /** Returns the key of a request that was written with the same bytes before and is remembered. */
  keyOf({ bytes: source }: RequestMembers, parts: KeyParts): string | undefined {
    if (!source || source.length > MAX_SOURCE) return undefined;
    const known = this.#known.get(Bun.hash(source));
    return known && isSame(known.parts, parts) && Buffer.compare(known.source, source) === 0
      ? known.key
      : undefined;
  }
}

function isSame(one: KeyParts, other: KeyParts): boolean {
  const [{ upstream, model }, { upstream: otherUpstream, model: otherModel }] = [one.target, other.target];
  return (
    one.endpoint === other.endpoint &&
    one.sharedBy === other.sharedBy &&
    upstream.id === otherUpstream.id &&
    upstream.plugin === otherUpstream.plugin &&
    model === otherModel &&
    (one.headers === other.headers || Bun.deepEquals(one.headers, other.headers))
  );
}

/** The same with the members of all objects in the order of their names: then equal values are the same text. */
function ordered(value: Json | undefined): Json | undefined {
  if (typeof value !== "object" || value === null || value instanceof LosslessNumber) return value;
  return isList(value)
    ? value.map((item) => ordered(item) ?? null)
    : members(Object.keys(value), (name) => value[name]);
}

function members(names: string[], member: (name: string) => Json | undefined): JsonObject {
  // Without a prototype, so that a member called `__proto__` is one like any other.
  const copy: Record<string, Json | undefined> = Object.create(null);
  for (const name of names.sort()) copy[name] = ordered(member(name));
  return copy;
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
