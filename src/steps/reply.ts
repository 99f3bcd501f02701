import type { ChatRequest, JsonObject } from "../contract/index.ts";
import type { Dialect, FrameWriter } from "../dialects/dialect.ts";
import { wantsUsage } from "../dialects/openai-chat/request.ts";
import type { RequestError } from "../dialects/request-error.ts";
import { toRequestError } from "../dialects/request-error.ts";
import type { AnswerEvent, CountedUsage } from "../flow/answer-event.ts";
import { readable } from "../flow/readable.ts";
import { logUnforeseen } from "../log.ts";
import type { Gateway } from "../state/gateway.ts";
import type { EncodedAnswer } from "../state/response-cache.ts";
import type { Answered } from "./dispatch.ts";
import type { ObservedAnswer } from "./observe.ts";
import type { RequestCall } from "./open-call.ts";

const encoder = new TextEncoder();

/** `no-transform` and `x-accel-buffering` keep compressing and buffering proxies from holding events back. */
const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** What is not visible ASCII, and the comma. */
const NOT_IN_A_LIST = /[^!-+\--~]/gu;
/** Proxies refuse headers that are much longer. */
const LONGEST_LIST = 1_000;

/** What the form of an answer depends on. */
type Asked = Pick<ChatRequest, "model" | "stream" | "stream_options">;

interface Served {
  readonly dialect: Dialect;
  readonly call: RequestCall;
  readonly gateway: Gateway;
}

/**
 * Step 7: the answer in the form the client asked for. Until an upstream has committed, a failure becomes an
 * HTTP status; after it, or once the headers had to go out early, an error frame.
 * Leaves with whatever the upstreams failed with.
 */
export function reply(answer: Promise<ObservedAnswer>, request: Asked, served: Served): Promise<Response> {
  return request.stream ? streamed(answer, request, served) : plain(answer, request, served);
}

async function plain(
  answer: Promise<ObservedAnswer>,
  request: Asked,
  { dialect, call }: Served,
): Promise<Response> {
  const { events, ...head } = await answer;
  // The body names the model that was asked for where the upstream names none.
  const form = `${dialect.name} ${request.model}`;
  const sent = head.encoded?.get(form);
  if (sent) {
    call.deliveredAs(head, sent.usage);
    return replyWithBytes(sent, head, call);
  }
  const { body, usage } = await dialect.collect(events, request.model);
  const encoded = { bytes: encoder.encode(JSON.stringify(body)), usage };
  head.encoded?.keep(form, encoded);
  return replyWithBytes(encoded, head, call);
}

/** A plain answer that is there: its JSON, with who answered and where its usage comes from in the headers. */
export function replyWith(
  body: JsonObject,
  { answered, usage, call }: { answered: Answered; usage: CountedUsage | undefined; call: RequestCall },
): Response {
  return replyWithBytes({ bytes: encoder.encode(JSON.stringify(body)), usage }, answered, call);
}

function replyWithBytes({ bytes, usage }: EncodedAnswer, answered: Answered, call: RequestCall): Response {
  const headers = headersOf(answered);
  headers["content-type"] = "application/json";
  if (usage) headers["x-modelyard-usage"] = usage.source;
  call.close();
  return new Response(bytes, { headers });
}

async function streamed(answer: Promise<ObservedAnswer>, request: Asked, served: Served): Promise<Response> {
  const { dialect, call, gateway } = served;
  const known = await knownWithin(answer, gateway.limits.earlyHeaders);
  const beat = encoder.encode(dialect.comment);
  const begun = new Frames(answer, request, served);
  const body = readable(known ? begun : after(beat, begun), {
    left: call.left,
    beat,
    interval: gateway.limits.heartbeat,
  });
  return new Response(body, { headers: { ...SSE_HEADERS, ...(known && headersOf(known)) } });
}

/** Bun holds back the end of the headers until there is a piece of the body: so one goes with them. */
function after(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncIterator<Uint8Array> {
  let isFirst = true;
  return {
    next() {
      if (!isFirst) return rest.next();
      isFirst = false;
      return Promise.resolve({ done: false, value: first });
    },
    return: async () => (await rest.return?.()) ?? { done: true, value: undefined },
  };
}

/** The answer, or undefined when there is none yet and the client has waited for headers long enough. */
async function knownWithin(answer: Promise<ObservedAnswer>, ms: number): Promise<ObservedAnswer | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, ms, undefined);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function headersOf({ upstream, attempts, ignored, cache, age }: Answered): Record<string, string> {
  return {
    "x-modelyard-upstream": upstream,
    "x-modelyard-attempts": String(attempts),
    "x-modelyard-cache": cache,
    ...(age !== undefined && { age: String(age) }),
    ...(ignored.length > 0 && { "x-modelyard-ignored": listed(ignored) }),
  };
}

/** Names that clients chose, as a header can hold them. */
function listed(names: readonly string[]): string {
  const list = names.map((name) => name.toWellFormed().replace(NOT_IN_A_LIST, encodeURIComponent)).join(",");
  return list.length <= LONGEST_LIST ? list : `${list.slice(0, LONGEST_LIST)}...`;
}

/** The body of a stream: it ends with `[DONE]`, or with an error frame, and never throws. */
class Frames implements AsyncIterator<Uint8Array> {
  readonly #answer: Promise<ObservedAnswer>;
  readonly #call: RequestCall;
  readonly #writer: FrameWriter;
  #events: AsyncIterator<readonly AnswerEvent[]> | undefined;
  #isOver = false;

  constructor(answer: Promise<ObservedAnswer>, request: Asked, { dialect, call }: Served) {
    this.#answer = answer;
    this.#call = call;
    this.#writer = dialect.writer({ model: request.model, includeUsage: wantsUsage(request) });
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#isOver) return { done: true, value: undefined };
    try {
      this.#events ??= (await this.#answer).events[Symbol.asyncIterator]();
      for (;;) {
        const { done, value: batch } = await this.#events.next();
        if (done) return this.#last(this.#writer.end());
        let text = "";
        for (const event of batch) text += this.#writer.write(event);
        if (text) return { done: false, value: encoder.encode(text) };
      }
    } catch (error) {
      return this.#fail(error);
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#close(this.#call.gone);
    await this.#events?.return?.();
    return { done: true, value: undefined };
  }

  #fail(error: unknown): IteratorResult<Uint8Array> {
    const failure = toRequestError(error);
    if (failure.code === "internal_error") {
      logUnforeseen(this.#call.log, "an answer broke in the gateway itself", error);
    }
    return this.#last(this.#writer.failed(failure), failure);
  }

  #last(text: string, failure?: RequestError): IteratorResult<Uint8Array> {
    this.#close(failure);
    return { done: false, value: encoder.encode(text) };
  }

  #close(failure?: RequestError): void {
    this.#isOver = true;
    this.#call.close(failure);
  }
}
