import type { UsageEvent } from "../contract/index.ts";
import type { AnswerBatches, AnswerEvent, DeliveredEvent, NextAnswerBatch } from "./answer-event.ts";

/** A plain answer's events, with the document that holds them where the upstream wrote it in the client's own API. */
export class PlainAnswer implements AnswerBatches {
  readonly #events: AnswerBatches<DeliveredEvent>;
  #document: string | undefined;

  constructor(events: AnswerBatches<DeliveredEvent>) {
    this.#events = events;
  }

  /** The body as the upstream wrote it, once it has been read. */
  get document(): string | undefined {
    return this.#document;
  }

  next(): NextAnswerBatch | PromiseLike<NextAnswerBatch> {
    const next = this.#events.next();
    return "then" in next ? next.then(this.#unwrap) : this.#unwrap(next);
  }

  return(): Promise<unknown> {
    return this.#events.return();
  }

  readonly #unwrap = (next: NextAnswerBatch<DeliveredEvent>): NextAnswerBatch =>
    next.done ? next : { done: false, value: next.value.flatMap((event) => this.#canonical(event)) };

  #canonical(event: DeliveredEvent): AnswerEvent | AnswerEvent[] {
    if (event.type !== "native") return event;
    if (event.name === "document") this.#document ??= event.data;
    return event.events.filter((each): each is Exclude<typeof each, UsageEvent> => each.type !== "usage");
  }
}
