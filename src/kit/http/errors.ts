import { UpstreamError } from "../../contract/index.ts";
import type { UpstreamErrorCode } from "../../contract/index.ts";
import { complaintIn } from "./error-body.ts";
import type { Complaint } from "./error-body.ts";
import type { MaybeJson } from "../json/values.ts";
import {
  BY_STATUS,
  CREDIT_WORDS,
  FILTERED,
  FILTER_WORDS,
  KEY,
  KEY_WORDS,
  MODEL_UNKNOWN,
  NOT_THERE,
  NO_CREDIT,
  NO_SUCH_MODEL,
  QUOTED,
  TOO_LONG,
  TOO_LONG_WORDS,
  WORDS,
  WRONG_KEY,
} from "./error-words.ts";
import { parseJson } from "../json/values.ts";
import { retryAfterMs } from "./retry-after.ts";

/**
 * The error that an HTTP answer other than 2xx stands for: its code by the status and by what the body says,
 * its message in the upstream's own words. A page is no message.
 */
export function failureOf(status: number, headers: Headers, body: string): UpstreamError {
  const complaint = complaintIn(parseJson(body) ?? body);
  const retryMs = retryAfterMs(headers) ?? complaint.retryAfterMs;
  return upstreamError({ status, complaint, retryMs }, `the upstream answered with status ${status}`);
}

/**
 * The error that an error object stands for where there is no HTTP status: within a stream, or in a body that
 * came with 200. Its own `code`, `type` and `status` decide; `failed` where they say nothing.
 */
export function failureIn(body: MaybeJson): UpstreamError {
  const complaint = complaintIn(body);
  const word = complaint.words.find((each) => WORDS.has(each));
  const status = (word === undefined ? undefined : WORDS.get(word)) ?? complaint.status ?? 500;
  return upstreamError(
    { status, complaint, retryMs: complaint.retryAfterMs },
    "the upstream reported an error",
  );
}

/** The code of a network error, as `ECONNRESET`: the part of it that carries no URL. */
export function networkErrorCode(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "the request failed";
}

/** Whether a request or its body failed for the network's sake. The reason of an abort is no such error. */
export function isNetworkError(error: unknown): boolean {
  return (
    error instanceof Error && !UpstreamError.is(error) && "code" in error && typeof error.code === "string"
  );
}

/** `truncated`, for a body that broke off with `error`, whose own message would name the whole URL. An UpstreamError stays. */
export function brokenOff(error: unknown): UpstreamError {
  if (UpstreamError.is(error)) return error;
  const why = networkErrorCode(error);
  return new UpstreamError("truncated", `the upstream's answer broke off before its end (${why})`);
}

interface FailedAnswer {
  readonly status: number;
  readonly complaint: Complaint;
  readonly retryMs: number | undefined;
}

function upstreamError({ status, complaint, retryMs }: FailedAnswer, what: string): UpstreamError {
  const { message, body, param, code } = complaint;
  return new UpstreamError(codeOf(status, complaint), message || `${what} and no message`, {
    retryAfterMs: retryMs ?? untilAccess(message),
    param,
    upstreamCode: code,
    detail: body || undefined,
  });
}

/** Anthropic: `You will regain access on 2026-12-01 at 00:00 UTC.` */
function untilAccess(message: string): number | undefined {
  const [, day, time] = /regain access on (\d{4}-\d\d-\d\d) at (\d\d:\d\d) UTC/.exec(message) ?? [];
  const left = Date.parse(`${day}T${time}Z`) - Date.now();
  return left > 0 ? left : undefined;
}

/** What an answer means by its status and its words: the most telling first. */
function codeOf(status: number, complaint: Complaint): UpstreamErrorCode {
  const { words } = complaint;
  if (hasWord(words, NO_SUCH_MODEL)) return "no-such-model";
  if (status < 400) return "bad-response";
  if (status >= 500) return BY_STATUS.get(status) ?? "failed";
  // What an upstream quotes may be the client's own text, which must not be taken for the upstream's word.
  const said = complaint.message.replaceAll(QUOTED, "");
  if (hasWord(words, CREDIT_WORDS) || NO_CREDIT.test(said)) return "out-of-credit";
  return BY_STATUS.get(status) ?? requestFault(status, complaint, said);
}

/** Every other 4xx is the request's fault, unless it says that it isn't: one client's request must not rest a model. */
function requestFault(status: number, { message, words }: Complaint, said: string): UpstreamErrorCode {
  if (hasWord(words, FILTER_WORDS) || FILTERED.test(message)) return "content-filter";
  if (hasWord(words, TOO_LONG_WORDS) || TOO_LONG.test(message)) return "context-length";
  if (words.includes("api_key_invalid") || WRONG_KEY.test(said)) return "rejected";
  if (status === 403 && !NOT_THERE.test(message) && (hasWord(words, KEY_WORDS) || KEY.test(said)))
    return "rejected";
  if (MODEL_UNKNOWN.test(message) || (status === 404 && /\bmodels?\b/i.test(message))) return "no-such-model";
  return status === 413 || words.includes("request_too_large") ? "too-large" : "bad-request";
}

function hasWord(words: readonly string[], known: ReadonlySet<string>): boolean {
  return words.some((word) => known.has(word));
}
