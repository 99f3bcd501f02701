import type { UpstreamErrorCode } from "../../contract/index.ts";

/**
 * The statuses, words and phrases by which errors of any upstream are classified. Words are the `code`, `type` and
 * `status` of an error object, in lower case; phrases are searched in its message.
 * @module
 */

/** Matches text in quotation marks. */
export const QUOTED_TEXT: RegExp = /(["'`]).*?\1/g;

export const CODE_BY_STATUS: ReadonlyMap<number, UpstreamErrorCode> = new Map([
  [401, "rejected"],
  [402, "out-of-credit"],
  [407, "unreachable"],
  [408, "timeout"],
  [429, "rate-limited"],
  [503, "unavailable"],
  [504, "timeout"],
  [529, "unavailable"],
]);

export const NO_SUCH_MODEL_WORDS: ReadonlySet<string> = new Set([
  "model_not_found",
  "deploymentnotfound",
  "invalid_model",
]);
export const TOO_LONG_WORDS: ReadonlySet<string> = new Set([
  "context_length_exceeded",
  "exceed_context_size_error",
  "string_above_max_length",
]);

// OpenAI and vLLM; Anthropic; Gemini; xAI; Groq; llama.cpp; Mistral; Kimi; Bedrock.
export const TOO_LONG_PHRASES: RegExp = new RegExp(
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

export const NO_SUCH_MODEL_PHRASES: RegExp =
  /\b(unknown|invalid|no such) model\b|\bmodel\b.{0,200}\b(not found|not exist|not a valid model)|not a valid model/i;

export const FILTER_WORDS: ReadonlySet<string> = new Set([
  "content_filter",
  "content_policy_violation",
  "responsibleaipolicyviolation",
  "moderation_blocked",
  "data_inspection_failed",
  "datainspectionfailed",
]);

// OpenRouter's moderation; Azure; Anthropic; OpenAI; firewalls and other moderators.
export const FILTER_PHRASES: RegExp = new RegExp(
  [
    "\\b(input|prompt|content|message)s?\\b.{0,40}\\bflagged\\b",
    "content (management|filter|policy|moderation|safety)",
    "safety (system|polic|filter|guideline)",
    "usage polic",
    "responsible ai",
    "\\b(inappropriate|prohibited|harmful|sensitive|unsafe) (content|words?|text)",
  ].join("|"),
  "i",
);

// OpenAI, Anthropic, DeepSeek, OpenRouter.
export const CREDIT_WORDS: ReadonlySet<string> = new Set([
  "insufficient_quota",
  "billing_hard_limit_reached",
  "billing_error",
  "insufficient_balance",
  "insufficient_credits",
]);
export const NO_CREDIT_PHRASES: RegExp =
  /credit balance is too low|specified api usage limits|insufficient (account )?(balance|credits?|funds)\b|billing hard limit/i;

// Gemini answers 400 for a wrong key, an unsupported location or account; Anthropic for a disabled organization.
export const WRONG_KEY_PHRASES: RegExp =
  /api key (not valid|expired)|location is not supported|free tier is not available|enable billing|organization has been disabled/i;

// A 403 blames the credential only with one of these; else a firewall or moderator refused this request.
export const KEY_WORDS: ReadonlySet<string> = new Set([
  "permission_error",
  "permission_denied",
  "authentication_error",
  "unauthenticated",
  "invalid_api_key",
  "unsupported_country_region_territory",
]);
export const KEY_PHRASES: RegExp = new RegExp(
  [
    "\\bkeys?\\b",
    "\\bapi_?key\\b",
    "\\bcredentials?\\b",
    "\\bpermi(ssions?|tted)\\b",
    "\\b(un|not )authori[sz]ed\\b",
    "\\bauthenticat",
    "\\b(auth|access|bearer|invalid|expired) token\\b",
    "\\btoken (is |has )?(invalid|expired)",
    "\\baccount\\b.{0,40}\\b(disabled|suspended|deactivated|blocked)",
    "\\b(country|region|location)\\b.{0,40}\\bnot (supported|available)",
    "\\b(have|has|no|without) access\\b",
  ].join("|"),
  "i",
);
// Google's 403 for a file or cached content that the client names and that doesn't exist.
export const MISSING_FILE_PHRASES: RegExp = /permission to access the file\b|cached ?content not found/i;

/** The HTTP statuses that the error words of OpenAI, Anthropic and Google stand for. */
export const STATUS_BY_WORD: ReadonlyMap<string, number> = new Map([
  ["rate_limit_exceeded", 429],
  ["rate_limit_error", 429],
  ["insufficient_quota", 429],
  ["resource_exhausted", 429],
  ["billing_error", 402],
  ["request_too_large", 413],
  ["content_filter", 400],
  ["content_policy_violation", 400],
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
