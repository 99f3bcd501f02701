import type { Batches, EmbedRequest, EmbedResult, NextBatch } from "../contract/index.ts";
import { isPending } from "../runtime/reusable-deferred.ts";
import { wantsUsage } from "../dialects/openai/chat/request.ts";
import type { AnswerBatches, CountedUsage, NextAnswerBatch } from "../answer/answer-event.ts";
import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { Gateway } from "../gateway.ts";
import type { TrackedRequest } from "../usage/usage-tracker.ts";
import { UsageTracker } from "../usage/usage-tracker.ts";
import type { Answer, Answered } from "./dispatch.ts";
import type { RequestCall } from "./exchange.ts";
import { promptTokens } from "../usage/prompt-tokens.ts";

/** An answer with one usage at its end. */
export interface ObservedAnswer {
  readonly answered: Answered;
  readonly events: ObservedEvents;
}

interface ObserveDeps {
  readonly call: RequestCall;
  readonly gateway: Gateway;
}

/**
 * Step 8: keeps account of what is delivered, for the ledger, and ends the answer with one usage where the
 * client will see it: what the upstream reported, or else a count by a tokenizer after the answer.
 */
export function observe(
  answer: Answer,
  request: TrackedRequest,
  { call, gateway }: ObserveDeps,
): ObservedAnswer {
  const account = new UsageTracker(request, gateway.tokens);
  call.answeredBy(answer, account);
  // A plain answer always tells its usage, a streamed one when asked.
  const told = request.stream !== true || wantsUsage(request);
  return { answered: answer, events: new ObservedEvents(answer.events, account, { call, told }) };
}

const END: NextAnswerBatch = { done: true, value: undefined };

/** An answer's events, with its account kept, and one usage behind them if that is `told`. */
export class ObservedEvents implements AnswerBatches {
  /** The events as they come. Whoever reads them here hands each batch to `take`, which saves a promise for each. */
  readonly source: Batches;
  readonly #account: UsageTracker;
  readonly #call: RequestCall;
  #told: boolean;

  constructor(
    events: Batches,
    account: UsageTracker,
    { call, told }: { readonly call: RequestCall; readonly told: boolean },
  ) {
    this.source = events;
    this.#account = account;
    this.#call = call;
    this.#told = told;
  }

  next(): NextAnswerBatch | PromiseLike<NextAnswerBatch> {
    for (;;) {
      const next = this.source.next();
      if (isPending(next)) return next.then(this.#came);
      const said = this.take(next);
      if (said) return said;
    }
  }

  async return(): Promise<unknown> {
    return this.source.return?.();
  }

  readonly #came = (next: NextBatch): NextAnswerBatch | PromiseLike<NextAnswerBatch> =>
    this.take(next) ?? this.next();

  /** What the client gets of what came of the source; undefined where that is nothing. */
  take(next: NextBatch): NextAnswerBatch | Promise<NextAnswerBatch> | undefined {
    if (next.done) return this.#end();
    this.#call.delivering();
    const said = this.#account.take(next.value);
    return said.length > 0 ? { done: false, value: said } : undefined;
  }

  #end(): NextAnswerBatch | Promise<NextAnswerBatch> {
    this.#account.complete();
    if (!this.#told) return END;
    this.#told = false;
    const { known } = this.#account;
    return known ? { done: false, value: [known] } : this.#account.count().then(batchOf);
  }
}

function batchOf(usage: CountedUsage): NextAnswerBatch {
  return { done: false, value: [usage] };
}

/** The usage of embeddings, estimated where the upstream told none. */
export async function embeddingUsage(
  answer: Answered & { readonly result: EmbedResult },
  request: EmbedRequest,
  { call, gateway }: ObserveDeps,
): Promise<CountedUsage> {
  const told = sanitizeUsage(answer.result.usage ?? {});
  const counted: CountedUsage =
    told.input === undefined
      ? {
          type: "usage",
          usage: { ...told, input: await promptTokens(request, gateway.tokens) },
          source: "estimated",
        }
      : { type: "usage", usage: told, source: "upstream" };
  call.delivering();
  call.answeredBy(answer, { known: counted, estimate: () => counted, count: async () => counted });
  return counted;
}
