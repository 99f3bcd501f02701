import type { ChatRequest, CompletionRequest, Json, JsonObject } from "../contract/index.ts";
import type { Target } from "../state/route-table.ts";

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
  // Who it is for, and how the upstream is to file it.
  "user",
  "safety_identifier",
  "metadata",
  "store",
  // What the upstream may spare itself of its own work.
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
]);

/** What an answer depends on beside the request's own fields. */
export interface KeyParts {
  /** As `/v1/chat/completions`. */
  readonly endpoint: string;
  /** Who is asked first. */
  readonly target: Target;
  /** Among whom answers are shared: a key's name, or undefined for all keys. */
  readonly sharedBy: string | undefined;
}

/**
 * A key that two requests have in common only if they ask the same thing of the same model of the same upstream,
 * on behalf of the same clients: the SHA-256 of all of it, in which the order of an object's members counts nothing.
 */
export function cacheKey(request: ChatRequest | CompletionRequest, parts: KeyParts): string {
  const { endpoint, target, sharedBy } = parts;
  const { id, plugin } = target.upstream;
  const place = canonical([endpoint, id, plugin, target.model, sharedBy ?? null]);
  const names = Object.keys(request).filter((name) => !NEVER_IN_THE_ANSWER.has(name));
  return new Bun.CryptoHasher("sha256").update(place + members(request, names)).digest("base64");
}

/**
 * A text that only equal values have. Other than JSON it says the lengths of texts beforehand instead of escaping
 * them, which makes it several times cheaper.
 */
function canonical(value: Json): string {
  if (typeof value === "string") return text(value);
  if (typeof value !== "object" || value === null) return `${value};`;
  if (!isList(value)) return members(value, Object.keys(value));
  let said = `[${value.length}:`;
  for (const item of value) said += canonical(item);
  return said;
}

function members(object: JsonObject, names: readonly string[]): string {
  let said = "{";
  for (const name of names.toSorted()) {
    const value = object[name];
    if (value !== undefined) said += text(name) + canonical(value);
  }
  return `${said}}`;
}

function text(value: string): string {
  // Halves of characters would all be hashed as the same replacement character.
  return value.isWellFormed() ? `"${value.length}:${value}` : `\\${JSON.stringify(value)}`;
}

function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
