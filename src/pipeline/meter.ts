import type { AnswerBatches, CountedUsage, DeliveredEvent, NextAnswerBatch } from "../answer/answer-event.ts";
import { sanitizeUsage } from "../answer/sanitize-usage.ts";
import type { Answer } from "../attempts/answer.ts";
import type { Batches, EmbedResult, NextBatch } from "../contract/index.ts";
import { Stage } from "../runtime/stage.ts";
import type { GenerateRequest } from "../dialects/model-request.ts";
import { promptTokens } from "../usage/prompt-tokens.ts";
import { UsageTracker } from "../usage/usage-tracker.ts";
import type { Ticket } from "./admission/admit.ts";
import { NOTHING_USED } from "./admission/reservation.ts";
import type { VectorLookup } from "./vector-lookup.ts";

/** An answer whose usage is tracked for the ledger. Only `meter` and `meterVectors` make one. */
class Metered<Content> {
  declare protected readonly step: "metered";
  readonly answer: Answer<unknown>;
  readonly content: Content;

  constructor(answer: Answer<unknown>, content: Content) {
    this.answer = answer;
    this.content = content;
  }
}

export type MeteredAnswer = Metered<MeteredEvents>;

/** Vectors, and their usage. */
export type MeteredVectors = Metered<{ readonly result: EmbedResult; readonly usage: CountedUsage }>;

/**
 * Tracks what is delivered of an answer, for the ledger, and ends the answer with one usage where the client will see it:
 * what the upstream reported, or else a count by a tokenizer after the answer.
 */
export function meter(
  ticket: Ticket<GenerateRequest>,
  answer: Answer | Promise<Answer>,
): MeteredAnswer | Promise<MeteredAnswer> {
  return answer instanceof Promise
    ? answer.then((begun) => meterBegun(ticket, begun))
    : meterBegun(ticket, answer);
}

function meterBegun(ticket: Ticket<GenerateRequest>, answer: Answer): MeteredAnswer {
  const { exchange, request } = ticket;
  const tracker = new UsageTracker(request, exchange.gateway.tokens);
  ticket.answeredBy(answer, tracker);
  const events = new MeteredEvents(answer.content, tracker, { ticket, includeUsage: request.includeUsage });
  return new Metered(answer, events);
}

/** Returns all vectors with their usage, estimated where the upstream told none, and keeps those that came. */
export async function meterVectors(
  found: VectorLookup,
  answer: Answer<EmbedResult>,
): Promise<MeteredVectors> {
  const { ticket, reused } = found;
  const used = answer.cache === "hit" ? NOTHING_USED : await usageOf(answer.content, found);
  if (answer.cache !== "hit") found.keep(answer, answer.content, used);
  const usage = found.asked === ticket.request ? used : together(used, reused);
  const metered = { ...answer, reused: reused.tokens };
  ticket.deliveredAs(metered, usage);
  return new Metered(metered, { result: found.complete(answer.content), usage });
}

/** What an upstream used for the vectors that it was asked for. */
async function usageOf({ usage }: EmbedResult, { ticket, asked }: VectorLookup): Promise<CountedUsage> {
  const reported = sanitizeUsage(usage ?? {});
  if (reported.input !== undefined) return { type: "usage", usage: reported, source: "upstream" };
  const input = await promptTokens(asked, ticket.exchange.gateway.tokens);
  return { type: "usage", usage: { ...reported, input }, source: "estimated" };
}

function together({ usage, source }: CountedUsage, reused: VectorLookup["reused"]): CountedUsage {
  return {
    type: "usage",
    usage: { input: (usage.input ?? 0) + reused.tokens },
    source: reused.isExact ? source : "estimated",
  };
}

/** What goes to the client next, or the end. */
type Delivered = NextAnswerBatch<DeliveredEvent>;

const END: Delivered = { done: true, value: undefined };

/** Tracks the usage of an answer's events, and appends one usage event if `includeUsage` is true. */
export class MeteredEvents extends Stage<NextBatch, Delivered> implements AnswerBatches<DeliveredEvent> {
  /** The original events. Their reader passes each batch to `take`, which saves a promise per batch. */
  readonly source: Batches;
  readonly #tracker: UsageTracker;
  readonly #ticket: Ticket;
  #owesUsage: boolean;

  constructor(
    events: Batches,
    tracker: UsageTracker,
    { ticket, includeUsage }: { readonly ticket: Ticket; readonly includeUsage: boolean },
  ) {
    super();
    this.source = events;
    this.#tracker = tracker;
    this.#ticket = ticket;
    this.#owesUsage = includeUsage;
  }

  async return(): Promise<unknown> {
    return this.source.return?.();
  }

  protected override read(): NextBatch | PromiseLike<NextBatch> {
    return this.source.next();
  }

  protected override map(next: NextBatch): Delivered | Promise<Delivered> | undefined {
    return this.take(next);
  }

  /** Returns what the client gets of a batch of the source; undefined where that is nothing. */
  take(next: NextBatch): Delivered | Promise<Delivered> | undefined {
    if (next.done) return this.#end();
    this.#ticket.delivering();
    const delivered = this.#tracker.take(next.value);
    return delivered.length > 0 ? { done: false, value: delivered } : undefined;
  }

  #end(): Delivered | Promise<Delivered> {
    this.#tracker.complete();
    if (!this.#owesUsage) return END;
    this.#owesUsage = false;
    const { known } = this.#tracker;
    return known ? { done: false, value: [known] } : this.#tracker.count().then(batchOf);
  }
}

function batchOf(usage: CountedUsage): Delivered {
  return { done: false, value: [usage] };
}
