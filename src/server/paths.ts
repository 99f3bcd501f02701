/**
 * The path of a request's URL, without the query. Of a client that names no host, or a strange one, Bun gives the path
 * alone as `url`.
 */
export function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const query = url.indexOf("?", start);
  return query < 0 ? url.slice(start) : url.slice(start, query);
}

/**
 * The path that a client meant, whatever its user made of the base URL: `//v1/…`, `/v1/v1/…`, no `/v1` at all, a slash
 * at the end. `lacksVersion` tells whether a path means one below `/v1`.
 */
export function canonicalPath(path: string, lacksVersion: (path: string) => boolean): string {
  const plain = path.replace(/\/{2,}/g, "/").replace(/^(?:\/v1)+(?=\/|$)/, "/v1");
  const billing = plain.replace(/^\/v1(?=\/dashboard\/billing\/)/, "");
  const trimmed = billing.length > 1 ? billing.replace(/\/$/, "") : billing;
  return lacksVersion(trimmed) ? `/v1${trimmed}` : trimmed;
}
