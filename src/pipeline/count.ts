import type { UsageSource } from "../answer/answer-event.ts";
import type { Answer } from "../attempts/answer.ts";
import type { Attempt } from "../attempts/attempt.ts";
import { unaryAttempt } from "../attempts/attempt.ts";
import { UpstreamError } from "../contract/index.ts";
import type { NativeConversation } from "../dialects/native-conversation.ts";
import type { ErrorCode } from "../errors/gateway-error.ts";
import { toGatewayError } from "../errors/gateway-error.ts";
import { countPrompt } from "../usage/counted-prompt.ts";
import type { RequestEstimate } from "../usage/token-estimate.ts";
import type { Ticket } from "./admission/admit.ts";
import { answerOf } from "./dispatch.ts";
import { FailoverLoop } from "./failover.ts";

/** How many tokens a request takes, and who has counted them. */
export interface CountedTokens {
  readonly tokens: number;
  readonly source: UsageSource;
}

/** Failures that the request itself would have, too. */
const REQUEST_FAULTS: ReadonlySet<ErrorCode> = new Set([
  "invalid_value",
  "content_filter",
  "context_length_exceeded",
  "client_closed_request",
  "shutting_down",
]);

/**
 * Counts the tokens of a request: the upstream that would answer it does so where it can, else the gateway's own tokenizer.
 * Leaves with what is wrong with the request.
 */
export async function counted(ticket: Ticket<NativeConversation>): Promise<Answer<CountedTokens>> {
  const { plan, request, exchange } = ticket;
  const [target] = plan.targets;
  try {
    if (target?.upstream.upstream.countTokens) return await new CountLoop(plan, ticket).run();
  } catch (error) {
    if (isRequestsFault(error)) throw error;
  }
  const tokens = await countPrompt(request, exchange.gateway.tokens);
  return {
    upstream: target?.upstream.id ?? "",
    upstreamModel: target?.model ?? "",
    attempts: ticket.attempts ?? 0,
    ignored: [],
    content: { tokens, source: "estimated" },
    cache: "bypass",
    pays: () => false,
  };
}

/** Status codes of a server that doesn't count tokens. */
const NO_SUCH_ENDPOINT: ReadonlySet<number | undefined> = new Set([404, 405, 501]);

function isRequestsFault(error: unknown): boolean {
  const { code, cause } = toGatewayError(error);
  return REQUEST_FAULTS.has(code) && !(UpstreamError.is(cause) && NO_SUCH_ENDPOINT.has(cause.status));
}

class CountLoop extends FailoverLoop<NativeConversation, CountedTokens> {
  protected override async attempt(attempted: Attempt): Promise<Answer<CountedTokens>> {
    const { call, gateway, request } = this;
    const { target, limitPermit } = attempted;
    const { content: tokens } = await unaryAttempt(
      attempted,
      { call, redact: gateway.redact, dialect: request.dialect },
      async (upstream, context) => {
        if (!upstream.countTokens)
          throw new UpstreamError("unsupported", `the upstream "${target.upstream.id}" counts no tokens`);
        const count = await context.orAborted(upstream.countTokens(request.native(target.model), context));
        if (!Number.isSafeInteger(count) || count < 0)
          throw new UpstreamError("bad-response", "the upstream gave a count that is none");
        return count;
      },
    );
    limitPermit?.settle(0);
    return answerOf(attempted, { tokens, source: "upstream" }, []);
  }

  /** Counting uses no tokens. */
  protected override needed(): RequestEstimate {
    return { input: 0, output: 0, isOutputBounded: false };
  }
}
