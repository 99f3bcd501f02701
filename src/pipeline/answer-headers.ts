import type { Answer } from "../attempts/answer.ts";
import { joinedEntries } from "../attempts/ignored-parameters.ts";

/** Proxies refuse headers that are much longer. */
const LONGEST_LIST = 1_000;

/** Returns the headers that say who answered a request, and how. */
export function headersOf({
  upstream,
  attempts,
  ignored,
  cache,
  age,
}: Answer<unknown>): Record<string, string> {
  const headers: Record<string, string> = {
    "x-modelyard-upstream": upstream,
    "x-modelyard-attempts": String(attempts),
    "x-modelyard-cache": cache,
  };
  if (age !== undefined) headers["age"] = String(age);
  if (ignored.length > 0) headers["x-modelyard-ignored"] = joinedEntries(ignored, LONGEST_LIST);
  return headers;
}
