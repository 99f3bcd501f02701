import type { NativeErrorWords, UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES, UpstreamError } from "../contract/index.ts";

/** Every code a client can read in `error.code`, with its HTTP status; docs/errors.md explains each. */
export const ERROR_CODES = {
  invalid_json: 400,
  invalid_value: 400,
  missing_required_parameter: 400,
  unsupported_parameter: 400,
  content_filter: 400,
  context_length_exceeded: 400,
  invalid_api_key: 401,
  model_not_allowed: 403,
  key_expired: 403,
  model_not_found: 404,
  response_not_found: 404,
  unknown_url: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  request_too_large: 413,
  unsupported_media_type: 415,
  upgrade_required: 426,
  rate_limit_exceeded: 429,
  insufficient_quota: 429,
  client_closed_request: 499,
  internal_error: 500,
  upstream_error: 502,
  upstream_truncated: 502,
  upstream_bad_response: 502,
  upstream_unavailable: 503,
  no_credential: 503,
  overloaded: 503,
  shutting_down: 503,
  upstream_timeout: 504,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** The request field at fault. */
  readonly param?: string | undefined;
  /** When to retry, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own code, in place of ours, for the client alone. */
  readonly upstreamCode?: string | undefined;
  /** The upstream's own words, where it speaks the client's API. */
  readonly native?: NativeErrorWords | undefined;
  /** Headers that belong to this answer alone, as `allow` to a 405. */
  readonly headers?: Readonly<Record<string, string>>;
}

// Each 429 and 503 has a retry-after; this is the default.
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** A request's failure as clients of every dialect see it. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly param: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly upstreamCode: string | undefined;
  readonly native: NativeErrorWords | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "GatewayError";
    this.code = code;
    this.param = options.param;
    const comesBack = ERROR_CODES[code] === 429 || ERROR_CODES[code] === 503;
    this.retryAfterMs = options.retryAfterMs ?? (comesBack ? DEFAULT_RETRY_AFTER_MS : undefined);
    this.upstreamCode = options.upstreamCode;
    this.native = options.native;
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return ERROR_CODES[this.code];
  }
}

/** Returns the error for an address that is asked with none of its methods. */
export function wrongMethod(method: string, path: string, methods: readonly string[]): GatewayError {
  const allow = methods.join(", ");
  return new GatewayError("method_not_allowed", `${path} does not take ${method}, but ${allow}`, {
    headers: { allow },
  });
}

/** Converts whatever was thrown to the client's error. */
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

/** Returns the client's error for an upstream's failure. */
export function ofUpstream(
  error: UpstreamError,
  { from, retryAfterMs = error.retryAfterMs }: FailureOrigin = {},
): GatewayError {
  const { code, message, param, upstreamCode, native } = error;
  return new GatewayError(FAILURES[code].wire, message, {
    cause: error,
    param,
    retryAfterMs,
    native,
    ...(code === "bad-request" && { upstreamCode }),
    headers: {
      ...(from !== undefined && { "x-modelyard-upstream": from }),
      ...(isLasting(code) && DO_NOT_RETRY),
    },
  });
}

/** Returns whether a failure lasts until an operator has mended the gateway's credential. */
export function isLasting(code: UpstreamErrorCode): boolean {
  return code === "rejected" || code === "out-of-credit";
}

/** Keeps the official SDKs from retrying. */
export const DO_NOT_RETRY: Readonly<Record<string, string>> = { "x-should-retry": "false" };
