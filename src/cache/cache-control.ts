/** The directives of a request for cached answers; see RFC 9111, section 5.2.1. */
export interface CacheDirectives {
  /** True for `no-cache`: no stored answer may be given. */
  readonly noCache: boolean;
  /** True for `no-store`: no stored answer may be given, and none may be stored. */
  readonly noStore: boolean;
  /** The highest age of an answer that may be given, in ms. */
  readonly maxAge: number;
}

const NO_DIRECTIVES: CacheDirectives = { noCache: false, noStore: false, maxAge: Infinity };

/** Parses a request's `cache-control` header; directives that don't belong to a request are ignored. */
export function cacheDirectives(header: string | null): CacheDirectives {
  if (!header) return NO_DIRECTIVES;
  const directives = header.split(",").map((directive) => directive.trim().toLowerCase());
  const ages = directives.flatMap((directive) => /^max-age="?(\d+)"?$/.exec(directive)?.[1] ?? []);
  return {
    noCache: directives.includes("no-cache"),
    noStore: directives.includes("no-store"),
    // The strictest of several counts.
    maxAge: Math.min(...ages.map((seconds) => Number(seconds) * 1000)),
  };
}
