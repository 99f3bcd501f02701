import type { CountedUsage, DeliveredEvent, NextAnswerBatch } from "../answer/answer-event.ts";
import { END_OF_BATCHES } from "../answer/batches.ts";
import { PlainAnswer } from "../answer/plain-answer.ts";
import type { Answer } from "../attempts/answer.ts";
import type { NextBatch } from "../contract/index.ts";
import { AnswerFrames } from "../dialects/answer-frames.ts";
import type { CountEndpoint, GenerateEndpoint } from "../dialects/dialect.ts";
import type { GenerateRequest, VectorRequest } from "../dialects/model-request.ts";
import type { NativeConversation } from "../dialects/native-conversation.ts";
import type { GatewayError } from "../errors/gateway-error.ts";
import { toGatewayError } from "../errors/gateway-error.ts";
import { stringifyJson } from "../json/json-text.ts";
import { logUnforeseen } from "../log.ts";
import type { Chunks, NextChunk } from "../runtime/readable.ts";
import { readable } from "../runtime/readable.ts";
import { Stage } from "../runtime/stage.ts";
import { responseBody } from "../runtime/write-chunks.ts";
import type { Ticket } from "./admission/admit.ts";
import { headersOf } from "./answer-headers.ts";
import type { CountedTokens } from "./count.ts";
import type { Authenticated } from "./intake/authenticate.ts";
import type { Exchange } from "./intake/exchange.ts";
import type { MeteredAnswer, MeteredEvents, MeteredVectors } from "./meter.ts";

const encoder = new TextEncoder();

/** `no-transform` and `x-accel-buffering` keep compressing and buffering proxies from holding events back. */
const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/**
 * Writes the answer in the form the client asked for. Until an upstream has committed, a failure becomes an HTTP status;
 * after it, or once the headers had to go out early, an error frame.
 * Leaves with whatever the upstreams failed with.
 */
export function reply(
  ticket: Ticket<GenerateRequest>,
  endpoint: GenerateEndpoint,
  answer: MeteredAnswer | Promise<MeteredAnswer>,
): Promise<Response> {
  return ticket.request.stream ? streamed(ticket, endpoint, answer) : plain(ticket, endpoint, answer);
}

async function plain(
  ticket: Ticket<GenerateRequest>,
  endpoint: GenerateEndpoint,
  metered: MeteredAnswer | Promise<MeteredAnswer>,
): Promise<Response> {
  const { answer, content } = metered instanceof Promise ? await metered : metered;
  const { encoded: forms } = answer;
  const { model } = ticket.request;
  // The body names the model that was asked for where the upstream names none.
  const form = `${endpoint.path} ${model}`;
  const sent = forms?.get(form);
  if (sent) {
    ticket.deliveredAs(answer, sent.usage);
    return whole(ticket, sent.bytes, { answer, usage: sent.usage });
  }
  const events = new PlainAnswer(content);
  const { body, usage } = await endpoint.collect(events, ticket.request);
  const text = events.document ?? stringifyJson(body);
  forms?.keep(form, { bytes: encoder.encode(text), usage });
  return whole(ticket, text, { answer, usage });
}

/** Writes vectors. */
export function replyVectors(
  ticket: Ticket<VectorRequest>,
  { answer, content: { result, usage } }: MeteredVectors,
): Response {
  return whole(ticket, stringifyJson(ticket.request.answer(result, usage)), { answer, usage });
}

/** Writes a count of tokens, which uses none itself. */
export function replyCount(
  ticket: Ticket<NativeConversation>,
  endpoint: CountEndpoint,
  answer: Answer<CountedTokens>,
): Response {
  const { tokens, source } = answer.content;
  const usage: CountedUsage = { type: "usage", usage: { input: 0, output: 0 }, source };
  ticket.deliveredAs(answer, usage);
  return whole(ticket, stringifyJson(endpoint.write(tokens)), { answer, usage });
}

/** Writes an answer in JSON that no upstream is asked for. */
export function replyAlone({ exchange }: Authenticated, body: object): Response {
  exchange.close();
  return jsonResponse(exchange, stringifyJson(body), {});
}

interface Sent {
  readonly answer: Answer<unknown>;
  readonly usage: CountedUsage | undefined;
}

/** Returns a complete answer, with its provenance and usage source in the headers. */
function whole(
  { exchange }: Ticket,
  body: string | Uint8Array<ArrayBuffer>,
  { answer, usage }: Sent,
): Response {
  const headers = headersOf(answer);
  if (usage) headers["x-modelyard-usage"] = usage.source;
  exchange.close();
  return jsonResponse(exchange, body, headers);
}

function jsonResponse(
  exchange: Exchange,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Response {
  exchange.addHeaders(headers);
  headers["content-type"] = "application/json";
  return new Response(responseBody(body), { headers: exchange.gateway.headers.of(headers) });
}

async function streamed(
  ticket: Ticket<GenerateRequest>,
  endpoint: GenerateEndpoint,
  answer: MeteredAnswer | Promise<MeteredAnswer>,
): Promise<Response> {
  const { exchange } = ticket;
  const { limits, headers: headersCache } = exchange.gateway;
  const known = answer instanceof Promise ? await answerWithin(answer, limits.earlyHeaders) : answer;
  const beat = endpoint.comment;
  const begun = new Frames(ticket, endpoint, known ?? answer);
  const body = readable(known ? begun : after(beat, begun), {
    left: exchange.onClientLeft,
    beat,
    interval: limits.heartbeat,
  });
  const headers = Object.assign(known ? headersOf(known.answer) : {}, SSE_HEADERS);
  return new Response(body, { headers: headersCache.of(exchange.addHeaders(headers)) });
}

/** Prepends a piece, because Bun holds the headers back until the first piece of the body. */
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

/** Resolves with the answer, or with undefined after `ms`. */
function answerWithin(answer: Promise<MeteredAnswer>, ms: number): Promise<MeteredAnswer | undefined> {
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

/** What goes to the client next, or the end. */
type Delivered = NextAnswerBatch<DeliveredEvent>;

/** An answer that has begun or is awaited. */
type Begun = MeteredAnswer | Promise<MeteredAnswer>;

/** The body of a stream. It ends with the dialect's end frame or an error frame, and never throws. */
class Frames extends Stage<NextBatch, NextChunk> implements Chunks {
  readonly #answer: Begun;
  readonly #exchange: Exchange;
  readonly #writer: AnswerFrames;
  #events: MeteredEvents | undefined;
  #isOver = false;

  constructor(ticket: Ticket<GenerateRequest>, endpoint: GenerateEndpoint, answer: Begun) {
    super();
    const { exchange, request } = ticket;
    this.#answer = answer;
    this.#exchange = exchange;
    this.#writer = new AnswerFrames(endpoint.writer(request, () => ticket.usageSoFar));
  }

  async return(): Promise<unknown> {
    this.#close(this.#exchange.gone);
    return this.#events?.return();
  }

  protected override read(): NextBatch | PromiseLike<NextBatch> {
    if (this.#isOver) return END_OF_BATCHES;
    if (this.#events) return this.#events.source.next();
    const answer = this.#answer;
    return answer instanceof Promise ? answer.then((begun) => this.#begin(begun)) : this.#begin(answer);
  }

  #begin({ content: events }: MeteredAnswer): NextBatch | PromiseLike<NextBatch> {
    this.#events = events;
    return events.source.next();
  }

  protected override map(next: NextBatch): NextChunk | Promise<NextChunk> | undefined {
    if (this.#isOver || this.#exchange.hasLeft) return END;
    try {
      const said = this.#events?.take(next);
      if (!(said instanceof Promise)) return said && this.#frames(said);
      return said
        .then((counted) => this.#frames(counted) ?? EMPTY)
        .catch((error: unknown) => this.fail(error));
    } catch (error) {
      return this.fail(error);
    }
  }

  /** Returns the frames of a batch; undefined where there are none. */
  #frames({ done, value: batch }: Delivered): NextChunk | undefined {
    if (done) return this.#last(this.#writer.end());
    const text = this.#writer.write(batch);
    return text === "" ? undefined : { done: false, value: text };
  }

  protected override fail(error: unknown): NextChunk {
    if (this.#isOver || this.#exchange.hasLeft) return END;
    const failure = toGatewayError(error);
    if (failure.code === "internal_error") {
      logUnforeseen(this.#exchange.log, "an answer broke off by a fault of the gateway", error);
    }
    return this.#last(this.#writer.failed(failure), failure);
  }

  #last(text: string, failure?: GatewayError): NextChunk {
    this.#close(failure);
    return { done: false, value: text };
  }

  #close(failure?: GatewayError): void {
    this.#isOver = true;
    this.#exchange.close(failure);
  }
}

const END: NextChunk = { done: true, value: undefined };
const EMPTY: NextChunk = { done: false, value: "" };
