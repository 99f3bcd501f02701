import type { Allowance, Standing } from "./rate-limiter.ts";

/**
 * OpenAI's `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, for the kinds of limits that there are.
 * https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
 */
export function limitHeaders({ requests, tokens }: Standing): Record<string, string> {
  const headers: Record<string, string> = {};
  if (requests) describe("requests", requests, headers);
  if (tokens) describe("tokens", tokens, headers);
  return headers;
}

function describe(
  kind: string,
  { limit, remaining, resetMs }: Allowance,
  into: Record<string, string>,
): void {
  into[`x-ratelimit-limit-${kind}`] = String(limit);
  into[`x-ratelimit-remaining-${kind}`] = String(remaining);
  into[`x-ratelimit-reset-${kind}`] = resetText(resetMs);
}

/** A time in whole ms as OpenAI writes it, which is Go's way: `0s`, `120ms`, `8.64s`, `6m0s`, `1h0m0s`. */
export function resetText(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = `${(ms % 60_000) / 1000}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}
