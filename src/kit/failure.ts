import { UpstreamError } from "../contract/index.ts";
import type { UpstreamErrorCode, UpstreamErrorOptions } from "../contract/index.ts";
import { complaintIn } from "./complaint.ts";
import type { Complaint } from "./complaint.ts";
import type { Said } from "./json.ts";
import { parseJson } from "./json.ts";
import { retryAfterMs } from "./retry-after.ts";

/**
 * The error that an HTTP answer other than 2xx stands for: its code by the status and by what the body says,
 * its message in the upstream's own words.
 */
export function failureOf(status: number, headers: Headers, body: string): UpstreamError {
  const complaint = complaintIn(parseJson(body) ?? body);
  return upstreamError({ status, complaint, retryAfterMs: retryAfterMs(headers) ?? complaint.retryAfterMs });
}

/**
 * The error that an error object stands for where there is no HTTP status: within a stream, or in a body that
 * came with 200. Its own `code`, `type` and `status` decide; `failed` where they say nothing.
 */
export function failureIn(body: Said): UpstreamError {
  const complaint = complaintIn(body);
  const word = complaint.words.find((each) => WORDS.has(each));
  const status = (word === undefined ? undefined : WORDS.get(word)) ?? complaint.status ?? 500;
  return upstreamError({ status, complaint, retryAfterMs: complaint.retryAfterMs });
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
  readonly retryAfterMs: number | undefined;
}

function upstreamError(answer: FailedAnswer): UpstreamError {
  const { status, complaint } = answer;
  const options: UpstreamErrorOptions = {
    ...(answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }),
    ...(complaint.param === undefined ? {} : { param: complaint.param }),
  };
  const message = complaint.message || `the upstream answered with status ${status} and no message`;
  return new UpstreamError(codeOf(status, complaint), message, options);
}

function codeOf(status: number, complaint: Complaint): UpstreamErrorCode {
  if (complaint.words.some((word) => NO_SUCH_MODEL.has(word))) return "no-such-model";
  if (status === 403 && FLAGGED.test(complaint.message)) return "bad-request";
  if (REQUEST_FAULTS.has(status)) return requestFault(status, complaint);
  const code = BY_STATUS.get(status);
  if (code) return code;
  return status < 400 ? "bad-response" : "failed";
}

function requestFault(status: number, { message, words }: Complaint): UpstreamErrorCode {
  if (words.some((word) => TOO_LONG_WORDS.has(word)) || TOO_LONG.test(message)) return "context-length";
  if (words.includes("api_key_invalid") || WRONG_KEY.test(message)) return "rejected";
  if (MODEL_UNKNOWN.test(message) || (status === 404 && /\bmodels?\b/i.test(message))) return "no-such-model";
  return "bad-request";
}

const REQUEST_FAULTS = new Set([400, 404, 413, 422]);

const BY_STATUS = new Map<number, UpstreamErrorCode>([
  [401, "rejected"],
  [402, "rate-limited"],
  [403, "rejected"],
  [408, "timeout"],
  [429, "rate-limited"],
  [503, "unavailable"],
  [504, "timeout"],
  [529, "unavailable"],
]);

const NO_SUCH_MODEL = new Set(["model_not_found", "deploymentnotfound", "invalid_model"]);
const TOO_LONG_WORDS = new Set([
  "context_length_exceeded",
  "exceed_context_size_error",
  "string_above_max_length",
]);

// The sentences of OpenAI and vLLM; Anthropic; Gemini; xAI; Groq; llama.cpp; Mistral; Kimi; Bedrock.
const TOO_LONG = new RegExp(
  [
    "maximum context length",
    "context (length|window|limit|size)",
    "(prompt|input) is too long",
    "input token count.{0,40} exceeds",
    "maximum prompt length",
    "reduce the length of the (messages|prompt|input)",
    "exceeded model token limit",
  ].join("|"),
  "i",
);

const MODEL_UNKNOWN =
  /\b(unknown|invalid|no such) model\b|\bmodel\b.{0,200}\b(not found|not exist|not a valid model)|not a valid model/i;

// OpenRouter's moderation answers 403, which says nothing of the key: or else one client's text would rest them all.
const FLAGGED = /\b(input|prompt|content|message)s?\b.{0,40}\bflagged\b/i;

// Gemini answers a wrong key with 400.
const WRONG_KEY = /api key (not valid|expired)/i;

/** What an error's `code`, `type` or `status` means as an HTTP status: OpenAI's, Anthropic's and Google's words. */
const WORDS = new Map<string, number>([
  ["rate_limit_exceeded", 429],
  ["rate_limit_error", 429],
  ["insufficient_quota", 429],
  ["resource_exhausted", 429],
  ["billing_error", 402],
  ["overloaded_error", 529],
  ["overloaded", 503],
  ["service_unavailable", 503],
  ["unavailable", 503],
  ["insufficient_system_resource", 503],
  ["context_length_exceeded", 400],
  ["exceed_context_size_error", 400],
  ["model_not_found", 404],
  ["not_found_error", 404],
  ["not_found", 404],
  ["authentication_error", 401],
  ["invalid_api_key", 401],
  ["unauthenticated", 401],
  ["permission_error", 403],
  ["permission_denied", 403],
  ["timeout", 504],
  ["timeout_error", 504],
  ["deadline_exceeded", 504],
  ["invalid_request_error", 400],
  ["invalid_argument", 400],
  ["bad_request", 400],
]);
