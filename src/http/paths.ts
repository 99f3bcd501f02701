/**
 * The path that a client meant, whatever its user made of the base URL: `//v1/…`, `/v1/v1/…`, no `/v1` at
 * all, a slash at the end.
 */
export function canonicalPath(path: string): string {
  const plain = path.replace(/\/{2,}/g, "/").replace(/^(?:\/v1)+(?=\/|$)/, "/v1");
  const trimmed = plain.length > 1 ? plain.replace(/\/$/, "") : plain;
  return /^\/(?:chat\/completions|models)(?:\/|$)/.test(trimmed) ? `/v1${trimmed}` : trimmed;
}
