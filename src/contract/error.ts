import type { NativeErrorWords } from "./native.ts";

/**
 * What a failure says something of. It decides what is tried next and what is taken out of use: `request`: this
 * request; `credential` and `connection`: every model of the upstream; `model` and `upstream`: this model there.
 */
export type Blame = "request" | "credential" | "model" | "upstream" | "connection";

/** What a failure code means to the gateway and to the client who finally sees it. */
export interface Failure {
  /** The HTTP status if no other target is left. */
  readonly status: number;
  /** OpenAI's `error.code` for the client. */
  readonly wire: string;
  /** Whether the next target of the route is tried, as long as nothing of an answer was sent. */
  readonly mayTryNext: boolean;
  readonly blame: Blame;
  /**
   * How it counts towards opening a circuit: `never`; once per `request`, however often that was tried; or once per
   * `body`, where what was asked may be the cause.
   */
  readonly counts: "never" | "request" | "body";
  /** When a plugin should throw it. */
  readonly meaning: string;
}

/** Every code a plugin may throw. */
export const FAILURES = {
  "bad-request": {
    status: 400,
    wire: "invalid_value",
    mayTryNext: false,
    blame: "request",
    counts: "never",
    meaning: "the upstream says the request is wrong; `param` names the field",
  },
  "content-filter": {
    status: 400,
    wire: "content_filter",
    mayTryNext: false,
    blame: "request",
    counts: "never",
    meaning: "the upstream refuses the prompt for what it says",
  },
  "context-length": {
    status: 400,
    wire: "context_length_exceeded",
    mayTryNext: false,
    blame: "request",
    counts: "never",
    meaning: "the conversation is too long for this model",
  },
  "too-large": {
    status: 413,
    wire: "request_too_large",
    mayTryNext: true,
    blame: "request",
    counts: "never",
    meaning: "the request's body is too large for this upstream (413)",
  },
  unsupported: {
    status: 400,
    wire: "unsupported_parameter",
    mayTryNext: true,
    blame: "request",
    counts: "never",
    meaning: "this upstream can't do what `param` asks for; another may",
  },
  "no-such-model": {
    status: 404,
    wire: "model_not_found",
    mayTryNext: true,
    blame: "model",
    counts: "never",
    meaning: "the upstream doesn't know the model",
  },
  "rate-limited": {
    status: 429,
    wire: "rate_limit_exceeded",
    mayTryNext: true,
    blame: "credential",
    counts: "never",
    meaning: "the upstream's own limit (429); `retryAfterMs` where it says when",
  },
  rejected: {
    status: 503,
    wire: "no_credential",
    mayTryNext: true,
    blame: "credential",
    counts: "request",
    meaning: "the upstream refuses the credential (401, 403)",
  },
  "out-of-credit": {
    status: 503,
    wire: "no_credential",
    mayTryNext: true,
    blame: "credential",
    counts: "request",
    meaning:
      "the credential's account has spent its credit (402); `retryAfterMs` where it says when it is back",
  },
  "no-credential": {
    status: 503,
    wire: "no_credential",
    mayTryNext: true,
    blame: "credential",
    counts: "never",
    meaning: "no usable credential, and none could be made in time",
  },
  overloaded: {
    status: 503,
    wire: "overloaded",
    mayTryNext: true,
    blame: "credential",
    counts: "never",
    meaning: "everything that could serve the request is in use; nobody's fault, so it opens no circuit",
  },
  unreachable: {
    status: 503,
    wire: "upstream_unavailable",
    mayTryNext: true,
    blame: "connection",
    counts: "request",
    meaning: "no connection: refused, no such host, TLS",
  },
  unavailable: {
    status: 503,
    wire: "upstream_unavailable",
    mayTryNext: true,
    blame: "upstream",
    counts: "request",
    meaning: "the upstream says it is overloaded (503, 529), or hung up before it answered",
  },
  failed: {
    status: 502,
    wire: "upstream_error",
    mayTryNext: true,
    blame: "upstream",
    counts: "request",
    meaning: "the upstream itself says that it failed (other 5xx, a failed run), in its own words",
  },
  "model-failed": {
    status: 502,
    wire: "upstream_error",
    mayTryNext: true,
    blame: "model",
    counts: "never",
    meaning:
      "the model made nothing usable of this request: a malformed tool call, a generation that it gave up",
  },
  timeout: {
    status: 504,
    wire: "upstream_timeout",
    mayTryNext: true,
    blame: "upstream",
    counts: "request",
    meaning: "a deadline passed",
  },
  truncated: {
    status: 502,
    wire: "upstream_truncated",
    mayTryNext: true,
    blame: "upstream",
    counts: "body",
    meaning: "the answer broke off before its own end mark",
  },
  "bad-response": {
    status: 502,
    wire: "upstream_bad_response",
    mayTryNext: true,
    blame: "upstream",
    counts: "body",
    meaning: "the upstream said something that can't be understood",
  },
} as const satisfies Record<string, Failure>;

export type UpstreamErrorCode = keyof typeof FAILURES;

export interface UpstreamErrorOptions {
  readonly cause?: unknown;
  /** When the upstream may be asked again, in milliseconds from now; 31 days at most, after which quotas are renewed. */
  readonly retryAfterMs?: number | undefined;
  /** The HTTP status of the upstream's answer, for the log. */
  readonly status?: number | undefined;
  /** The request field that is at fault, as `messages[1].content`. */
  readonly param?: string | undefined;
  /** The failure is one credential's, and the same upstream can be asked again at once with another. */
  readonly otherCredential?: boolean | undefined;
  /** The upstream's own code for it, as `invalid_image`; clients get it as `error.code` of a `bad-request`. */
  readonly upstreamCode?: string | undefined;
  /**
   * The upstream's own words, as the kit reads them of any error. A client gets them in place of the gateway's if the
   * upstream speaks its API (`Upstream.native`).
   */
  readonly native?: NativeErrorWords | undefined;
  /** What only the log may have: an address, a page, a part of a body. */
  readonly detail?: string | undefined;
}

/** Longest wait that an upstream's word is taken for, in ms: no quota or credit is renewed less often than by the month. */
const LONGEST_RETRY_AFTER_MS = 31 * 24 * 60 * 60_000;

const BRAND = Symbol.for("modelyard.UpstreamError");

/**
 * The one way in which a plugin fails. `message` is shown to the client: say what the upstream said. The gateway
 * removes the secrets that it knows, and then cuts what is too long. Anything else a plugin throws is taken as `bad-response`.
 */
export class UpstreamError extends Error {
  readonly code: UpstreamErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;
  readonly param: string | undefined;
  readonly otherCredential: boolean;
  readonly upstreamCode: string | undefined;
  readonly native: NativeErrorWords | undefined;
  readonly detail: string | undefined;
  // A plugin may carry its own copy of this module, so errors are known by a mark, not by their class.
  readonly [BRAND] = true;

  constructor(code: UpstreamErrorCode, message: string, options: UpstreamErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UpstreamError";
    this.code = code;
    const { retryAfterMs = NaN } = options;
    // Headers and dates make NaN, Infinity and negative waits, which say nothing.
    const isWait = retryAfterMs >= 0 && retryAfterMs < Infinity;
    this.retryAfterMs = isWait ? Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS) : undefined;
    this.status = options.status;
    this.param = options.param;
    this.otherCredential = options.otherCredential ?? false;
    this.upstreamCode = options.upstreamCode;
    this.native = options.native;
    this.detail = options.detail;
  }

  /** True for an UpstreamError from any copy of this module. */
  static is(error: unknown): error is UpstreamError {
    return typeof error === "object" && error !== null && BRAND in error;
  }
}

/** What an error was made with, to make another of it. */
export function optionsOf(error: UpstreamError): UpstreamErrorOptions {
  const { cause, retryAfterMs, status, param, otherCredential, upstreamCode, native, detail } = error;
  return { cause, retryAfterMs, status, param, otherCredential, upstreamCode, native, detail };
}
