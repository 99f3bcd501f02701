import type { Allowance, Standing } from "../../limits/rate-limiter.ts";

/** The names of a kind's headers. */
interface Names {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
}

const OF_REQUESTS = namesOf("requests");
const OF_TOKENS = namesOf("tokens");

/**
 * Adds OpenAI's `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, for the kinds of limits that there are.
 * https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
 */
export function addLimitHeaders({ requests, tokens }: Standing, headers: Record<string, string>): void {
  if (requests) describe(requests, OF_REQUESTS, headers);
  if (tokens) describe(tokens, OF_TOKENS, headers);
}

function namesOf(kind: string): Names {
  return {
    limit: `x-ratelimit-limit-${kind}`,
    remaining: `x-ratelimit-remaining-${kind}`,
    reset: `x-ratelimit-reset-${kind}`,
  };
}

function describe(
  { limit, remaining, resetMs }: Allowance,
  names: Names,
  headers: Record<string, string>,
): void {
  headers[names.limit] = String(limit);
  headers[names.remaining] = String(remaining);
  headers[names.reset] = resetText(resetMs);
}

/** A time in whole ms as OpenAI writes it, which is Go's way: `0s`, `120ms`, `8.64s`, `6m0s`, `1h0m0s`. */
export function resetText(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = secondsText(ms % 60_000);
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}

/** Seconds with at most three digits behind the point; in whole numbers, since fractions take long to be written. */
function secondsText(ms: number): string {
  const [whole, rest] = [Math.floor(ms / 1000), ms % 1000];
  if (rest === 0) return `${whole}s`;
  if (rest % 100 === 0) return `${whole}.${rest / 100}s`;
  if (rest % 10 === 0) return `${whole}.${rest < 100 ? "0" : ""}${rest / 10}s`;
  return `${whole}.${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}s`;
}
