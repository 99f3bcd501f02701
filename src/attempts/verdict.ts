import type { UpstreamError, UpstreamErrorCode } from "../contract/index.ts";
import { FAILURES } from "../contract/index.ts";
import { DO_NOT_RETRY, isLasting, ofUpstream, GatewayError } from "../errors/gateway-error.ts";
import type { RequestEstimate } from "../usage/token-estimate.ts";

/**
 * Of several failures the client gets the one that says most: these say less than all others, the first least. What a
 * plugin refuses by itself says as little as `unsupported`: another target may only be down.
 */
const LEAST_INFORMATIVE: readonly UpstreamErrorCode[] = [
  "unsupported",
  "too-large",
  "no-such-model",
  "out-of-credit",
  "rejected",
  "no-credential",
];

/** When a client may ask again whose failure lasts until somebody mends it. */
const LASTING_FAILURE_RETRY_MS = 60_000;

/** A failure that the client may be told, and the upstream it came from. */
export interface ReportedFailure {
  readonly error: UpstreamError;
  readonly from: string;
  /** How much it says. */
  readonly informativeness: number;
}

/** That one upstream can't do something says less than that another, which can, is down; of refusals the first counts. */
export function moreInformative(before: ReportedFailure | undefined, now: ReportedFailure): ReportedFailure {
  if (!before || now.informativeness > before.informativeness) return now;
  return now.informativeness === before.informativeness && now.informativeness > 0 ? now : before;
}

export function informativeness({ code }: UpstreamError, isUnasked: boolean): number {
  const place = isUnasked ? 0 : LEAST_INFORMATIVE.indexOf(code);
  return place < 0 ? LEAST_INFORMATIVE.length : place;
}

/** A 429 or 503 says when to come back: when the first of the targets may be asked again. */
export function forClient({ error, from }: ReportedFailure, wait: number): GatewayError {
  const { status } = FAILURES[error.code];
  if (status !== 429 && status !== 503) return ofUpstream(error, { from });
  const known = wait > 0 && wait < Infinity ? wait : undefined;
  return ofUpstream(error, {
    from,
    retryAfterMs: known ?? (isLasting(error.code) ? LASTING_FAILURE_RETRY_MS : undefined),
  });
}

/** What a client is told where every target rests and as many requests as may ask one all the same. */
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

/** What a client is told whose request is more than any upstream's limits let through. */
export function tooLarge(asked: string, { input, output, isOutputBounded }: RequestEstimate): GatewayError {
  const message = `the request may need ${input + output} tokens, more than any upstream for "${asked}" may be asked for in a whole minute; ask for a smaller max_tokens, or make the prompt shorter`;
  return new GatewayError("invalid_value", message, { param: isOutputBounded ? "max_tokens" : "messages" });
}
