import type { UpstreamError, UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES } from "../contract/index.ts";
import { DO_NOT_RETRY, isLasting, ofUpstream, GatewayError } from "../errors/gateway-error.ts";
import type { RequestEstimate } from "../usage/token-estimate.ts";

/**
 * Codes that are less informative than all others, the least informative first. Of several failures the client gets the most
 * informative one. A plugin's own refusal ranks with `unsupported`.
 */
const LEAST_INFORMATIVE: readonly UpstreamErrorCode[] = [
  "unsupported",
  "too-large",
  "no-such-model",
  "out-of-credit",
  "rejected",
  "no-credential",
];

/** Retry-after of failures that last until an operator mends them, in ms. */
const LASTING_FAILURE_RETRY_MS = 60_000;

/** A failure that may be reported to the client, and its upstream. */
export interface ReportedFailure {
  readonly error: UpstreamError;
  readonly from: string;
  /** Its rank among failures. */
  readonly informativeness: number;
}

/** Returns the more informative of two failures; of equal ones the later, but of refusals the first. */
export function moreInformative(before: ReportedFailure | undefined, now: ReportedFailure): ReportedFailure {
  if (!before || now.informativeness > before.informativeness) return now;
  return now.informativeness === before.informativeness && now.informativeness > 0 ? now : before;
}

/** Returns the rank of a failure among those of a request. */
export function informativeness({ code }: UpstreamError, isUnasked: boolean): number {
  const place = isUnasked ? 0 : LEAST_INFORMATIVE.indexOf(code);
  return place < 0 ? LEAST_INFORMATIVE.length : place;
}

/** Returns the client's error. A 429 or 503 tells when the first target may be tried again. */
export function forClient({ error, from }: ReportedFailure, wait: number): GatewayError {
  const { status } = FAILURES[error.code];
  if (status !== 429 && status !== 503) return ofUpstream(error, { from });
  const known = wait > 0 && wait < Infinity ? wait : undefined;
  return ofUpstream(error, {
    from,
    retryAfterMs: known ?? (isLasting(error.code) ? LASTING_FAILURE_RETRY_MS : undefined),
  });
}

/** Returns the error for a request whose targets all have open circuits, and whose last resort is taken. */
export function whileCircuitsOpen(
  asked: string,
  cause: UpstreamErrorCode,
  retryAfterMs: number,
): GatewayError {
  const { wire, blame } = FAILURES[cause];
  return new GatewayError(blame === "credential" ? wire : "upstream_unavailable", whyResting(asked, cause), {
    retryAfterMs,
    ...(isLasting(cause) && { headers: DO_NOT_RETRY }),
  });
}

function whyResting(asked: string, cause: UpstreamErrorCode): string {
  if (cause === "rate-limited") return `every upstream for "${asked}" is at its rate limit`;
  return FAILURES[cause].blame === "credential"
    ? `no upstream for "${asked}" takes the gateway's credentials at present`
    : `every upstream for "${asked}" has failed of late and is being rested`;
}

/** A request, in its client's words. */
interface ClientWords {
  readonly model: string;
  /** Returns what the client calls a member of a chat request. */
  clientName(member: string): string;
}

/** Returns the error for a request that exceeds every upstream's limits. */
export function tooLarge(
  request: ClientWords,
  { input, output, isOutputBounded }: RequestEstimate,
): GatewayError {
  const longest = request.clientName("max_tokens");
  const message = `the request may need ${input + output} tokens, more than any upstream for "${request.model}" may be asked for in a whole minute; ask for a smaller ${longest}, or make the prompt shorter`;
  return new GatewayError("invalid_value", message, {
    param: isOutputBounded ? longest : request.clientName("messages"),
  });
}
