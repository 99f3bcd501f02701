import type { ChatRequest, JsonObject, NextBatch } from "../contract/index.ts";
import type { Continuation } from "../runtime/reusable-deferred.ts";
import { ReusableDeferred } from "../runtime/reusable-deferred.ts";
import { stringifyJson } from "../json/json-text.ts";
import { isPending, subscribeOnce } from "../runtime/reusable-deferred.ts";
import type { Dialect, FrameWriter } from "../dialects/dialect.ts";
import { wantsUsage } from "../dialects/openai/chat/request.ts";
import type { GatewayError } from "../errors/gateway-error.ts";
import { toGatewayError } from "../errors/gateway-error.ts";
import type { CountedUsage, NextAnswerBatch } from "../answer/answer-event.ts";
import type { Chunks, NextChunk } from "../runtime/readable.ts";
import { readable } from "../runtime/readable.ts";
import { HeadersCache } from "../runtime/headers-cache.ts";
import { responseBody } from "../runtime/write-chunks.ts";
import { logUnforeseen } from "../log.ts";
import type { Gateway } from "../gateway.ts";
import { headersOf } from "./answer-headers.ts";
import type { Answered } from "./dispatch.ts";
import type { ObservedAnswer, ObservedEvents } from "./meter.ts";
import type { RequestCall } from "./exchange.ts";

const encoder = new TextEncoder();

/** `no-transform` and `x-accel-buffering` keep compressing and buffering proxies from holding events back. */
const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

const HEADERS = new HeadersCache();

/** What the form of an answer depends on. */
type ReplyForm = Pick<ChatRequest, "model" | "stream" | "stream_options">;

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
export function reply(
  answer: Promise<ObservedAnswer>,
  request: ReplyForm,
  served: Served,
): Promise<Response> {
  return request.stream ? streamed(answer, request, served) : plain(answer, request, served);
}

async function plain(
  answer: Promise<ObservedAnswer>,
  request: ReplyForm,
  { dialect, call }: Served,
): Promise<Response> {
  const { answered, events } = await answer;
  const { encoded: forms } = answered;
  // The body names the model that was asked for where the upstream names none.
  const form = `${dialect.name} ${request.model}`;
  const sent = forms?.get(form);
  if (sent) {
    call.deliveredAs(answered, sent.usage);
    return await replyWithBody(sent.bytes, { answered, usage: sent.usage, call });
  }
  const { body, usage } = await dialect.collect(events, request.model);
  const text = stringifyJson(body);
  forms?.keep(form, { bytes: encoder.encode(text), usage });
  return await replyWithBody(text, { answered, usage, call });
}

/** A plain answer that is there: its JSON, with who answered and where its usage comes from in the headers. */
export function replyWith(body: JsonObject, reply: PlainReply): Promise<Response> {
  return replyWithBody(stringifyJson(body), reply);
}

/** An answer in JSON that no upstream is asked for. */
export function replyAlone(body: object, call: RequestCall): Response {
  call.close();
  return jsonResponse(stringifyJson(body), call.marked({}));
}

function jsonResponse(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>): Response {
  headers["content-type"] = "application/json";
  return new Response(responseBody(body), { headers: HEADERS.of(headers) });
}

interface PlainReply {
  readonly answered: Answered;
  readonly usage: CountedUsage | undefined;
  readonly call: RequestCall;
}

async function replyWithBody(
  body: string | Uint8Array<ArrayBuffer>,
  { answered, usage, call }: PlainReply,
): Promise<Response> {
  const headers = headersOf(answered);
  if (usage) headers["x-modelyard-usage"] = usage.source;
  call.close();
  return jsonResponse(body, call.marked(headers));
}

async function streamed(
  answer: Promise<ObservedAnswer>,
  request: ReplyForm,
  served: Served,
): Promise<Response> {
  const { dialect, call, gateway } = served;
  const known = await knownWithin(answer, gateway.limits.earlyHeaders);
  const beat = dialect.comment;
  const begun = new Frames(known ?? answer, request, served);
  const body = readable(known ? begun : after(beat, begun), {
    left: call.left,
    beat,
    interval: gateway.limits.heartbeat,
  });
  const headers = known ? headersOf(known.answered) : {};
  return new Response(body, { headers: HEADERS.of(call.marked(Object.assign(headers, SSE_HEADERS))) });
}

/** Bun holds back the end of the headers until there is a piece of the body: so one goes with them. */
function after(first: string, rest: Chunks): Chunks {
  let isFirst = true;
  return {
    next() {
      if (!isFirst) return rest.next();
      isFirst = false;
      return { done: false, value: first };
    },
    return: () => rest.return(),
  };
}

/** The answer, or undefined when there is none yet and the client has waited for headers long enough. */
function knownWithin(answer: Promise<ObservedAnswer>, ms: number): Promise<ObservedAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, undefined);
    answer.then(
      (known) => {
        clearTimeout(timer);
        resolve(known);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** An answer that has begun, or will. */
type Begun = ObservedAnswer | Promise<ObservedAnswer>;

/** The body of a stream: it ends with `[DONE]`, or with an error frame, and never throws. */
class Frames implements Chunks, Continuation<NextBatch> {
  readonly #answer: Begun;
  readonly #call: RequestCall;
  readonly #writer: FrameWriter;
  readonly #later = new ReusableDeferred<NextChunk>();
  #events: ObservedEvents | undefined;
  #isOver = false;

  constructor(answer: Begun, request: ReplyForm, { dialect, call }: Served) {
    this.#answer = answer;
    this.#call = call;
    this.#writer = dialect.writer({ model: request.model, includeUsage: wantsUsage(request) });
  }

  next(): NextChunk | ReusableDeferred<NextChunk> {
    if (this.#isOver) return END;
    if (this.#events) return this.#read(this.#events);
    if (!(this.#answer instanceof Promise)) return this.#begin(this.#answer);
    this.#answer.then(
      (answer) => this.#tell(this.#begin(answer)),
      (error: unknown) => this.onError(error),
    );
    return this.#later;
  }

  async return(): Promise<unknown> {
    this.#close(this.#call.gone);
    return this.#events?.return();
  }

  #begin({ events }: ObservedAnswer): NextChunk | ReusableDeferred<NextChunk> {
    this.#events = events;
    return this.#read(events);
  }

  #read(events: ObservedEvents): NextChunk | ReusableDeferred<NextChunk> {
    try {
      for (;;) {
        const next = events.source.next();
        if (isPending(next)) {
          subscribeOnce(next, this);
          return this.#later;
        }
        const written = this.#write(events.take(next));
        if (written) return written;
      }
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Of the answer. */
  onValue(next: NextBatch): void {
    this.#tell(this.#writeNext(next));
  }

  /** Of the answer. */
  onError(error: unknown): void {
    this.#tell(this.#isLeft ? END : this.#fail(error));
  }

  get #isLeft(): boolean {
    return this.#isOver || this.#call.hasLeft;
  }

  /** Else the same wait goes on. */
  #tell(chunk: NextChunk | ReusableDeferred<NextChunk>): void {
    if (!(chunk instanceof ReusableDeferred)) this.#later.resolve(chunk);
  }

  #writeNext(next: NextBatch): NextChunk | ReusableDeferred<NextChunk> {
    if (this.#isLeft) return END;
    try {
      return this.#write(this.#events?.take(next)) ?? this.next();
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** The frames of what was said; undefined where there are none. */
  #write(
    said: NextAnswerBatch | Promise<NextAnswerBatch> | undefined,
  ): NextChunk | ReusableDeferred<NextChunk> | undefined {
    if (said === undefined) return undefined;
    if (!(said instanceof Promise)) return this.#frames(said);
    said.then(
      (counted) => this.#tell(this.#writeCounted(counted)),
      (error: unknown) => this.onError(error),
    );
    return this.#later;
  }

  #writeCounted(said: NextAnswerBatch): NextChunk | ReusableDeferred<NextChunk> {
    try {
      return this.#frames(said) ?? this.next();
    } catch (error) {
      return this.#fail(error);
    }
  }

  #frames({ done, value: batch }: NextAnswerBatch): NextChunk | ReusableDeferred<NextChunk> | undefined {
    if (done) return this.#last(this.#writer.end());
    let text = "";
    for (const event of batch) text += this.#writer.write(event);
    return text === "" ? undefined : { done: false, value: text };
  }

  #fail(error: unknown): NextChunk {
    const failure = toGatewayError(error);
    if (failure.code === "internal_error") {
      logUnforeseen(this.#call.log, "an answer broke in the gateway itself", error);
    }
    return this.#last(this.#writer.failed(failure), failure);
  }

  #last(text: string, failure?: GatewayError): NextChunk {
    this.#close(failure);
    return { done: false, value: text };
  }

  #close(failure?: GatewayError): void {
    this.#isOver = true;
    this.#call.close(failure);
  }
}

const END: NextChunk = { done: true, value: undefined };
