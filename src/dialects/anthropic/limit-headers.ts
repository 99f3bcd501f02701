import type { Allowance, Standing } from "../../limits/rate-limiter.ts";

const PREFIX = "anthropic-ratelimit";

/** The names of all of them. */
export const LIMIT_HEADERS = ["requests", "tokens"].flatMap((kind) =>
  ["limit", "remaining", "reset"].map((what) => `${PREFIX}-${kind}-${what}`),
);

/**
 * Adds Anthropic's `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}`, for the kinds of limits that there are.
 * https://platform.claude.com/docs/en/api/rate-limits#response-headers
 */
export function addLimitHeaders({ requests, tokens }: Standing, headers: Record<string, string>): void {
  if (requests) describe("requests", requests, headers);
  if (tokens) describe("tokens", tokens, headers);
}

function describe(
  kind: string,
  { limit, remaining, resetMs }: Allowance,
  headers: Record<string, string>,
): void {
  const prefix = `${PREFIX}-${kind}`;
  headers[`${prefix}-limit`] = String(limit);
  headers[`${prefix}-remaining`] = String(remaining);
  headers[`${prefix}-reset`] = resetTime(resetMs);
}

/** Returns the time in so many ms in RFC 3339, in whole seconds, rounded up. */
function resetTime(ms: number): string {
  const second = Math.ceil((Date.now() + ms) / 1000);
  return new Date(second * 1000).toISOString().replace(".000Z", "Z");
}
