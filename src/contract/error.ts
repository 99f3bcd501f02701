/** Whom a failure is blamed on: it decides what is tried next, and what is taken out of use. */
export type Blame = "client" | "credential" | "upstream" | "route";

/** What a failure code means to the gateway and to the client who finally sees it. */
export interface Failure {
  /** The HTTP status if no other target is left. */
  readonly status: number;
  /** OpenAI's `error.code` for the client. */
  readonly wire: string;
  /** Whether the next target of the route is tried, as long as nothing of an answer was sent. */
  readonly mayTryNext: boolean;
  readonly blame: Blame;
  /** When a plugin should throw it. */
  readonly meaning: string;
}

/** Every code a plugin may throw. */
export const FAILURES = {
  "bad-request": {
    status: 400,
    wire: "invalid_value",
    mayTryNext: false,
    blame: "client",
    meaning: "the upstream says the request is wrong; `param` names the field",
  },
  unsupported: {
    status: 400,
    wire: "unsupported_parameter",
    mayTryNext: true,
    blame: "route",
    meaning: "this upstream can't do what `param` asks for; another may",
  },
  "context-length": {
    status: 400,
    wire: "context_length_exceeded",
    mayTryNext: false,
    blame: "client",
    meaning: "the conversation is too long for this model",
  },
  "no-such-model": {
    status: 404,
    wire: "model_not_found",
    mayTryNext: true,
    blame: "route",
    meaning: "the upstream doesn't know the model",
  },
  "rate-limited": {
    status: 429,
    wire: "rate_limit_exceeded",
    mayTryNext: true,
    blame: "credential",
    meaning: "the upstream's own limit (429); `retryAfterMs` where it says when",
  },
  rejected: {
    status: 502,
    wire: "upstream_error",
    mayTryNext: true,
    blame: "credential",
    meaning: "the upstream refuses the credential (401, 403)",
  },
  "no-credential": {
    status: 503,
    wire: "no_credential",
    mayTryNext: true,
    blame: "upstream",
    meaning: "no usable credential, and none could be made in time",
  },
  overloaded: {
    status: 503,
    wire: "overloaded",
    mayTryNext: true,
    blame: "upstream",
    meaning: "everything that could serve the request is in use; nobody's fault, so it opens no circuit",
  },
  unavailable: {
    status: 503,
    wire: "upstream_unavailable",
    mayTryNext: true,
    blame: "upstream",
    meaning: "the upstream can't be reached, or says it is overloaded (503, 529)",
  },
  failed: {
    status: 502,
    wire: "upstream_error",
    mayTryNext: true,
    blame: "upstream",
    meaning: "the upstream itself says that it failed (other 5xx, a failed run), in its own words",
  },
  timeout: {
    status: 504,
    wire: "upstream_timeout",
    mayTryNext: true,
    blame: "upstream",
    meaning: "a deadline passed",
  },
  truncated: {
    status: 502,
    wire: "upstream_truncated",
    mayTryNext: true,
    blame: "upstream",
    meaning: "the answer broke off before its own end mark",
  },
  "bad-response": {
    status: 502,
    wire: "upstream_bad_response",
    mayTryNext: true,
    blame: "upstream",
    meaning: "the upstream said something that can't be understood",
  },
} as const satisfies Record<string, Failure>;

export type UpstreamErrorCode = keyof typeof FAILURES;

export interface UpstreamErrorOptions {
  readonly cause?: unknown;
  /** When the upstream may be asked again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** The request field that is at fault, as `messages[1].content`. */
  readonly param?: string;
  /** The failure is one credential's, and the same upstream can be asked again at once with another. */
  readonly otherCredential?: boolean;
}

const BRAND = Symbol.for("modelyard.UpstreamError");

/**
 * The one way in which a plugin fails. `message` is shown to the client: say what the upstream said. The gateway
 * removes the secrets that it knows, and then cuts what is too long. Anything else a plugin throws is taken as `bad-response`.
 */
export class UpstreamError extends Error {
  readonly code: UpstreamErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly param: string | undefined;
  readonly otherCredential: boolean;
  // A plugin may carry its own copy of this module, so errors are known by a mark, not by their class.
  readonly [BRAND] = true;

  constructor(code: UpstreamErrorCode, message: string, options: UpstreamErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UpstreamError";
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.param = options.param;
    this.otherCredential = options.otherCredential ?? false;
  }

  /** True for an UpstreamError from any copy of this module. */
  static is(error: unknown): error is UpstreamError {
    return typeof error === "object" && error !== null && BRAND in error;
  }
}
