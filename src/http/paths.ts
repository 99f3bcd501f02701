/**
 * The path that a client meant, whatever its user made of the base URL: `//v1/…`, `/v1/v1/…`, no `/v1` at
 * all, a slash at the end. Of a client that names no host, or a strange one, Bun gives the path alone as `url`.
 */
export function canonicalPath(url: string): string {
  const path = url.replace(/^https?:\/\/[^/]*/, "").replace(/\?.*$/, "");
  const plain = path.replace(/\/{2,}/g, "/").replace(/^(?:\/v1)+(?=\/|$)/, "/v1");
  const billing = plain.replace(/^\/v1(?=\/dashboard\/billing\/)/, "");
  const trimmed = billing.length > 1 ? billing.replace(/\/$/, "") : billing;
  return /^\/(?:chat\/completions|completions|embeddings|models)(?:\/|$)/.test(trimmed)
    ? `/v1${trimmed}`
    : trimmed;
}
