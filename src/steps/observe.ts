import type { ChatEvent, EmbedRequest, EmbedResult } from "../contract/index.ts";
import { wantsUsage } from "../dialects/openai-chat/request.ts";
import type { AnswerEvent, CountedUsage } from "../flow/answer-event.ts";
import type { Gateway } from "../state/gateway.ts";
import type { Asked } from "./account.ts";
import { Account } from "./account.ts";
import type { Answer, Answered } from "./dispatch.ts";
import type { RequestCall } from "./open-call.ts";

/** An answer with one usage at its end. */
export interface ObservedAnswer extends Answered {
  readonly events: AsyncIterable<readonly AnswerEvent[]>;
}

interface Around {
  readonly call: RequestCall;
  readonly gateway: Gateway;
}

/**
 * Step 8: keeps account of what is delivered, for the ledger, and ends the answer with one usage where the
 * client will see it: what the upstream reported, or else a count by a tokenizer after the answer.
 */
export async function observe(
  answer: Promise<Answer>,
  request: Asked,
  { call, gateway }: Around,
): Promise<ObservedAnswer> {
  const { events, ...answered } = await answer;
  const account = new Account(request, gateway.tokens);
  call.answeredBy(answered, account);
  // A plain answer always tells its usage, a streamed one when asked.
  const told = request.stream !== true || wantsUsage(request);
  return { ...answered, events: new ObservedEvents(events, account, { call, told }) };
}

/** An answer's events, with its account kept, and one usage behind them if that is `told`. */
class ObservedEvents implements AsyncIterableIterator<readonly AnswerEvent[]> {
  readonly #events: AsyncIterator<readonly ChatEvent[]>;
  readonly #account: Account;
  readonly #call: RequestCall;
  #told: boolean;

  constructor(
    events: AsyncIterable<readonly ChatEvent[]>,
    account: Account,
    { call, told }: { readonly call: RequestCall; readonly told: boolean },
  ) {
    this.#events = events[Symbol.asyncIterator]();
    this.#account = account;
    this.#call = call;
    this.#told = told;
  }

  async next(): Promise<IteratorResult<readonly AnswerEvent[]>> {
    for (;;) {
      const { done, value: batch } = await this.#events.next();
      if (done) return this.#end();
      this.#call.delivering();
      const said = this.#account.take(batch);
      if (said.length > 0) return { done: false, value: said };
    }
  }

  async return(): Promise<IteratorResult<readonly AnswerEvent[]>> {
    await this.#events.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #end(): Promise<IteratorResult<readonly AnswerEvent[]>> {
    this.#account.complete();
    if (!this.#told) return { done: true, value: undefined };
    this.#told = false;
    return { done: false, value: [this.#account.known ?? (await this.#account.count())] };
  }
}

/** The usage of embeddings, estimated where the upstream told none. */
export async function embeddingUsage(
  answer: Answered & { readonly result: EmbedResult },
  { input }: EmbedRequest,
  { call, gateway }: Around,
): Promise<CountedUsage> {
  const { usage: told = {} } = answer.result;
  const counted: CountedUsage =
    told.input === undefined
      ? { type: "usage", usage: { ...told, input: await inputTokens(input, gateway) }, source: "estimated" }
      : { type: "usage", usage: told, source: "upstream" };
  call.delivering();
  call.answeredBy(answer, { known: counted, count: async () => counted });
  return counted;
}

/** Texts are counted; token numbers are tokens. */
async function inputTokens(input: EmbedRequest["input"], gateway: Gateway): Promise<number> {
  const text = gateway.tokens.text();
  let numbers = 0;
  for (const item of input) {
    if (typeof item === "string") text.add(item);
    else numbers += item.length;
  }
  return numbers + (await text.tokens());
}
