/** What a client says about cached answers; see RFC 9111, section 5.2.1. */
export interface CacheDirectives {
  /** Wants a new answer. */
  readonly noCache: boolean;
  /** Wants none of it to be kept, and none that was. */
  readonly noStore: boolean;
  /** The oldest answer it takes, in ms. */
  readonly maxAge: number;
}

const NO_DIRECTIVES: CacheDirectives = { noCache: false, noStore: false, maxAge: Infinity };

/** What a request's `cache-control` header says; directives that don't belong to a request count nothing. */
export function cacheDirectives(header: string | null): CacheDirectives {
  if (!header) return NO_DIRECTIVES;
  const directives = header.split(",").map((directive) => directive.trim().toLowerCase());
  const ages = directives.flatMap((directive) => /^max-age="?(\d+)"?$/.exec(directive)?.[1] ?? []);
  return {
    noCache: directives.includes("no-cache"),
    noStore: directives.includes("no-store"),
    // Of several the strictest.
    maxAge: Math.min(...ages.map((seconds) => Number(seconds) * 1000)),
  };
}
