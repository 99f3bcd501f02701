import type { UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES, UpstreamError } from "../contract/index.ts";

interface ErrorCodeInfo {
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type: string;
}

/** Every code a client can read in `error.code`, with its HTTP status. DESIGN of the HTTP interface: README, "Errors". */
export const ERROR_CODES = {
  invalid_json: { status: 400, type: "invalid_request_error" },
  invalid_value: { status: 400, type: "invalid_request_error" },
  missing_required_parameter: { status: 400, type: "invalid_request_error" },
  unsupported_parameter: { status: 400, type: "invalid_request_error" },
  content_filter: { status: 400, type: "invalid_request_error" },
  context_length_exceeded: { status: 400, type: "invalid_request_error" },
  invalid_api_key: { status: 401, type: "invalid_request_error" },
  model_not_allowed: { status: 403, type: "permission_error" },
  key_expired: { status: 403, type: "permission_error" },
  model_not_found: { status: 404, type: "invalid_request_error" },
  unknown_url: { status: 404, type: "invalid_request_error" },
  method_not_allowed: { status: 405, type: "invalid_request_error" },
  request_timeout: { status: 408, type: "invalid_request_error" },
  request_too_large: { status: 413, type: "invalid_request_error" },
  unsupported_media_type: { status: 415, type: "invalid_request_error" },
  rate_limit_exceeded: { status: 429, type: "rate_limit_error" },
  insufficient_quota: { status: 429, type: "insufficient_quota" },
  client_closed_request: { status: 499, type: "invalid_request_error" },
  internal_error: { status: 500, type: "server_error" },
  upstream_error: { status: 502, type: "server_error" },
  upstream_truncated: { status: 502, type: "server_error" },
  upstream_bad_response: { status: 502, type: "server_error" },
  upstream_unavailable: { status: 503, type: "server_error" },
  no_credential: { status: 503, type: "server_error" },
  overloaded: { status: 503, type: "server_error" },
  shutting_down: { status: 503, type: "server_error" },
  upstream_timeout: { status: 504, type: "server_error" },
} as const satisfies Record<string, ErrorCodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** The request field at fault. */
  readonly param?: string | undefined;
  /** When it is worth trying again, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own code, in place of ours, for the client alone. */
  readonly upstreamCode?: string | undefined;
  /** Headers that belong to this answer alone, as `allow` to a 405. */
  readonly headers?: Readonly<Record<string, string>>;
}

// What a client is told when nobody knows better: each 429 and 503 says when to come back.
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** Why a request is not answered: what the client sees, whatever dialect it speaks. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly upstreamCode: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RequestError";
    this.code = code;
    this.param = options.param;
    const comesBack = ERROR_CODES[code].status === 429 || ERROR_CODES[code].status === 503;
    this.retryAfterMs = options.retryAfterMs ?? (comesBack ? DEFAULT_RETRY_AFTER_MS : undefined);
    this.upstreamCode = options.upstreamCode;
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  get type(): string {
    return ERROR_CODES[this.code].type;
  }
}

/** The one place where whatever was thrown becomes what the client sees. */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (UpstreamError.is(error)) return ofUpstream(error);
  // An unforeseen error's text may hold anything, so it goes to the log and not to the client.
  return new GatewayError("internal_error", "the gateway failed to answer; its log says why", {
    cause: error,
  });
}

interface FailureOrigin {
  /** The upstream's name in gateway.yaml. */
  readonly from?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** An upstream's failure for the client. */
export function ofUpstream(
  error: UpstreamError,
  { from, retryAfterMs = error.retryAfterMs }: FailureOrigin = {},
): GatewayError {
  const { code, message, param, upstreamCode } = error;
  return new GatewayError(FAILURES[code].wire, message, {
    cause: error,
    param,
    retryAfterMs,
    ...(code === "bad-request" && { upstreamCode }),
    headers: {
      ...(from !== undefined && { "x-modelyard-upstream": from }),
      ...(isLasting(code) && DO_NOT_RETRY),
    },
  });
}

/** Whether a failure lasts until somebody has put the gateway's credential in order. */
export function isLasting(code: UpstreamErrorCode): boolean {
  return code === "rejected" || code === "out-of-credit";
}

/** Tells the official SDKs not to ask again by themselves. */
export const DO_NOT_RETRY: Readonly<Record<string, string>> = { "x-should-retry": "false" };
