import type { ChatEvent, ChatRequest } from "../contract/index.ts";
import { FAILURES, UpstreamError } from "../contract/index.ts";
import type { Gateway } from "../state/gateway.ts";
import type { Target } from "../state/route-table.ts";
import { attempt } from "./attempt.ts";
import type { RequestCall } from "./open-call.ts";
import type { Plan } from "./route.ts";

/** An answer that an upstream has begun to give, and that no other can replace any more. */
export interface Answer {
  readonly upstream: string;
  readonly attempts: number;
  /** Names of parameters that the upstream could not honour. */
  readonly ignored: readonly string[];
  readonly events: AsyncIterable<ChatEvent>;
}

/**
 * Step 5: tries the plan's targets in order until one commits.
 * Leaves with the failure of the last target that failed at the request; `unsupported_parameter` only where
 * no target could do what was asked.
 */
export async function dispatch(
  plan: Plan,
  request: ChatRequest,
  { call, gateway }: { call: RequestCall; gateway: Gateway },
): Promise<Answer> {
  let failure: unknown;
  for (const [index, target] of plan.targets.entries()) {
    const number = index + 1;
    const ignored = new Set<string>();
    call.note({ upstream: target.upstream.id, attempts: number });
    try {
      const events = await attempt({ target, number, request, call, ignored, redact: gateway.redact });
      return { upstream: target.upstream.id, attempts: number, ignored: [...ignored], events };
    } catch (error) {
      failure = worse(failure, error);
      if (!mayTryNext(error)) throw error;
      reportFailover(call, target, error);
    }
  }
  throw failure;
}

function mayTryNext(error: unknown): boolean {
  return UpstreamError.is(error) && FAILURES[error.code].mayTryNext;
}

/** That one upstream can't do something says less than that another, which can, is down. */
function worse(before: unknown, now: unknown): unknown {
  return before !== undefined && UpstreamError.is(now) && now.code === "unsupported" ? before : now;
}

function reportFailover(call: RequestCall, { upstream }: Target, error: unknown): void {
  if (!UpstreamError.is(error)) return;
  call.log.warn("an upstream did not answer", {
    upstream: upstream.id,
    code: error.code,
    error: error.message,
  });
}
