import { UpstreamError } from "../../contract/index.ts";
import type { UpstreamErrorCode } from "../../contract/index.ts";
import { parseErrorBody } from "./error-body.ts";
import type { ErrorBody } from "./error-body.ts";
import type { MaybeJson } from "../json/values.ts";
import {
  CODE_BY_STATUS,
  CREDIT_WORDS,
  FILTER_PHRASES,
  FILTER_WORDS,
  KEY_PHRASES,
  KEY_WORDS,
  NO_SUCH_MODEL_PHRASES,
  MISSING_FILE_PHRASES,
  NO_CREDIT_PHRASES,
  NO_SUCH_MODEL_WORDS,
  QUOTED_TEXT,
  TOO_LONG_PHRASES,
  TOO_LONG_WORDS,
  STATUS_BY_WORD,
  WRONG_KEY_PHRASES,
} from "./error-words.ts";
import { parseJson } from "../json/parse.ts";

/**
 * Returns the error for an HTTP response other than 2xx: its code by the status and the body, its message as the
 * upstream wrote it. HTML gives no message.
 */
export function errorFromResponse(status: number, headers: Headers, body: string): UpstreamError {
  const error = parseErrorBody(parseJson(body) ?? body);
  const retryMs = retryAfterMs(headers) ?? error.retryAfterMs;
  return upstreamError(
    { status, error, retryMs, httpStatus: status },
    `the upstream answered with status ${status}`,
  );
}

/**
 * Returns the error for an error object without an HTTP status of its own: within a stream, or in a body that came
 * with 200. Its `code`, `type` and `status` decide; `failed` where they are unknown.
 */
export function errorFromBody(body: MaybeJson): UpstreamError {
  const error = parseErrorBody(body);
  const word = error.words.find((each) => STATUS_BY_WORD.has(each));
  const status = (word === undefined ? undefined : STATUS_BY_WORD.get(word)) ?? error.status ?? 500;
  return upstreamError({ status, error, retryMs: error.retryAfterMs }, "the upstream reported an error");
}

/** Returns the code of a network error, such as `ECONNRESET`: the only part of it that names no URL. */
export function networkErrorCode(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "the request failed";
}

/** Returns whether a request or a body failed by a network error. The reason of an abort is none. */
export function isNetworkError(error: unknown): boolean {
  return (
    error instanceof Error && !UpstreamError.is(error) && "code" in error && typeof error.code === "string"
  );
}

/** Returns `truncated` for a body that failed with a network error; an `UpstreamError` is returned as it is. */
export function truncatedError(error: unknown): UpstreamError {
  if (UpstreamError.is(error)) return error;
  // The code alone: the message would name the whole URL.
  const why = networkErrorCode(error);
  return new UpstreamError("truncated", `the upstream's answer broke off before its end (${why})`);
}

interface ErrorAnswer {
  /** The HTTP status, or the one that the body stands for. */
  readonly status: number;
  readonly httpStatus?: number;
  readonly error: ErrorBody;
  readonly retryMs: number | undefined;
}

function upstreamError({ status, error, retryMs, httpStatus }: ErrorAnswer, what: string): UpstreamError {
  const { message, body, param, code, type, details } = error;
  return new UpstreamError(classify(status, error), message || `${what} and no message`, {
    retryAfterMs: retryMs ?? accessRegainedMs(message),
    status: httpStatus,
    param,
    upstreamCode: code,
    native: { type, code, details },
    detail: body || undefined,
  });
}

/** Anthropic: `You will regain access on 2026-12-01 at 00:00 UTC.` */
function accessRegainedMs(message: string): number | undefined {
  const [, day, time] = /regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC/.exec(message) ?? [];
  const left = Date.parse(`${day}T${time}Z`) - Date.now();
  return left > 0 ? left : undefined;
}

/** Returns the code for a status and an error body, the most specific evidence first. */
function classify(status: number, error: ErrorBody): UpstreamErrorCode {
  const { words } = error;
  if (hasWord(words, NO_SUCH_MODEL_WORDS)) return "no-such-model";
  if (status < 400) return "bad-response";
  if (status >= 500) return CODE_BY_STATUS.get(status) ?? "failed";
  // Quoted text may be the client's own, so it is no evidence of what the upstream means.
  const unquoted = error.message.replaceAll(QUOTED_TEXT, "");
  if (hasWord(words, CREDIT_WORDS) || NO_CREDIT_PHRASES.test(unquoted)) return "out-of-credit";
  return CODE_BY_STATUS.get(status) ?? classifyClientError(status, error, unquoted);
}

/** Any other 4xx blames the request unless the body says otherwise: one bad request must not open a circuit. */
function classifyClientError(
  status: number,
  { message, words }: ErrorBody,
  unquoted: string,
): UpstreamErrorCode {
  if (hasWord(words, FILTER_WORDS) || FILTER_PHRASES.test(message)) return "content-filter";
  if (hasWord(words, TOO_LONG_WORDS) || TOO_LONG_PHRASES.test(message)) return "context-length";
  if (words.includes("api_key_invalid") || WRONG_KEY_PHRASES.test(unquoted)) return "rejected";
  const blamesKey = hasWord(words, KEY_WORDS) || KEY_PHRASES.test(unquoted);
  if (status === 403 && blamesKey && !MISSING_FILE_PHRASES.test(message)) return "rejected";
  if (NO_SUCH_MODEL_PHRASES.test(message) || (status === 404 && /\bmodels?\b/i.test(message)))
    return "no-such-model";
  return status === 413 || words.includes("request_too_large") ? "too-large" : "bad-request";
}

function hasWord(words: readonly string[], known: ReadonlySet<string>): boolean {
  return words.some((word) => known.has(word));
}

/**
 * When an answer says that the upstream may be asked again, in milliseconds from now: `retry-after-ms`, else
 * `retry-after` in seconds or as a date (RFC 9110 section 10.2.3). Undefined if it says nothing sensible.
 */
function retryAfterMs(headers: Headers): number | undefined {
  return (
    positive(headers.get("retry-after-ms"), 1) ??
    positive(headers.get("retry-after"), 1000) ??
    untilDate(headers)
  );
}

function positive(value: string | null, factor: number): number | undefined {
  const text = value?.trim() ?? "";
  return /^\d{1,12}(\.\d+)?$/.test(text) ? Math.ceil(Number(text) * factor) : undefined;
}

function untilDate(headers: Headers): number | undefined {
  const date = headers.get("retry-after") ?? "";
  const until = Date.parse(date);
  // Date.parse also makes something of "-1".
  if (Number.isNaN(until) || !date.endsWith("GMT")) return undefined;
  // The upstream's own clock, where it tells it: ours may differ.
  const sent = Date.parse(headers.get("date") ?? "");
  return Math.max(0, until - (Number.isNaN(sent) ? Date.now() : sent));
}
