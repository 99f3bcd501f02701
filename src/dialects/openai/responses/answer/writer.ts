import type { AnswerBatches, AnswerEvent, CountedUsage } from "../../../../answer/answer-event.ts";
import { readAll } from "../../../../answer/read-all.ts";
import type { JsonObject, NativeEvent } from "../../../../contract/index.ts";
import type { GatewayError } from "../../../../errors/gateway-error.ts";
import { stringifyJson } from "../../../../json/json-text.ts";
import { Bounded } from "../../../bounded.ts";
import type { Collected, FrameWriter } from "../../../dialect.ts";
import { errorBody } from "../../error.ts";
import { DONE_FRAME } from "../../sse.ts";
import { inOneLine } from "../../../one-line.ts";
import { failureOf } from "./failure.ts";
import { NativeProgress } from "./native-progress.ts";
import { Output } from "./output.ts";
import type { ResponsesRequest } from "../request/request.ts";
import { repeatedOf, usageOf } from "./response.ts";
import type { EventSink } from "./sink.ts";
import { FrameSink, NO_EVENTS } from "./sink.ts";

/** A finished answer. */
interface EndedResponse {
  readonly status: string;
  /** Without what it repeats of the request. */
  readonly response: JsonObject;
}

/** An answer in the making, with all that its object says beside the output. */
class ResponseDraft {
  readonly #request: ResponsesRequest;
  readonly #output: Output;
  readonly #created = seconds();
  readonly #newId = newIds();
  readonly #id = this.#newId("resp");
  readonly #repeated: JsonObject;
  #model: string;
  #tier = "default";
  #usage: CountedUsage | undefined;

  constructor(request: ResponsesRequest, sink: EventSink) {
    this.#request = request;
    this.#model = request.model;
    this.#repeated = repeatedOf(request.asked);
    const { tools, reasoning } = request;
    this.#output = new Output({ newId: this.#newId, sink, tools, reasoning });
  }

  get usage(): CountedUsage | undefined {
    return this.#usage;
  }

  /** What the object repeats of the request. */
  get repeated(): JsonObject {
    return this.#repeated;
  }

  take(event: AnswerEvent): void {
    if (event.type === "usage") this.#usage = event;
    else if (event.type === "extra" && event.at === "chunk") this.learn(event.fields);
    else this.#output.take(event);
  }

  learn({ model, service_tier: tier }: JsonObject): void {
    if (typeof model === "string" && model !== "") this.#model = model;
    if (typeof tier === "string") this.#tier = tier;
  }

  /** Returns the object of an answer that has begun, without what it repeats of the request. */
  begun(): JsonObject {
    return this.#object({ status: "in_progress", store: this.#request.isKept });
  }

  /** The same of a failed answer. */
  failed(error: GatewayError): JsonObject {
    return this.#object({ status: "failed", error: failureOf(error), output: this.#output.doneBodies() });
  }

  /** Ends the answer, and keeps it if that is asked for. */
  end(): EndedResponse {
    const { finish } = this.#output;
    const isFiltered = finish === "content_filter";
    const isWhole = !isFiltered && finish !== "length";
    const members = {
      status: isWhole ? "completed" : "incomplete",
      ...(isWhole
        ? { completed_at: seconds() }
        : { incomplete_details: { reason: isFiltered ? finish : "max_output_tokens" } }),
      ...(this.#usage !== undefined && { usage: usageOf(this.#usage) }),
    };
    const store = this.#request.keep(this.#id, {
      output: this.#output.kept(),
      response: { ...this.#object({ ...members, store: true }), ...this.#repeated },
    });
    return {
      status: members.status,
      response: this.#object({ ...members, store, output: this.#output.bodies() }),
    };
  }

  #object(members: JsonObject): JsonObject {
    return {
      id: this.#id,
      object: "response",
      created_at: this.#created,
      completed_at: null,
      error: null,
      incomplete_details: null,
      model: this.#model,
      output: [],
      service_tier: this.#tier,
      store: false,
      usage: null,
      ...members,
    };
  }
}

/**
 * Writes an answer as events of the Responses API.
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
export class ResponseWriter implements FrameWriter {
  readonly #sink = new FrameSink();
  readonly #draft: ResponseDraft;
  #hasBegun = false;
  readonly #native = new NativeProgress();
  #repeated: string | undefined;

  constructor(request: ResponsesRequest) {
    this.#draft = new ResponseDraft(request, this.#sink);
  }

  write(event: AnswerEvent): string {
    // What names the answer comes before its first word; usage comes last.
    const isAside = event.type === "usage" || (event.type === "extra" && event.at === "chunk");
    if (!isAside) this.#begin();
    this.#draft.take(event);
    return this.#sink.take();
  }

  end(): string {
    this.#begin();
    const { status, response } = this.#draft.end();
    this.#tell(`response.${status}`, response);
    return this.#sink.take() + DONE_FRAME;
  }

  /** Both frames: each is overlooked by some official client. */
  failed(error: GatewayError): string {
    const failure = failureOf(error);
    const { response, next } = this.#native;
    if (response) {
      const sink = new FrameSink(next);
      sink.event("error", errorEvent(error));
      sink.event("response.failed", {
        response: { ...response, status: "failed", error: failure, usage: null },
      });
      return sink.take();
    }
    this.#begin();
    this.#sink.event("error", errorEvent(error));
    this.#tell("response.failed", this.#draft.failed(error));
    return this.#sink.take();
  }

  passed(frame: NativeEvent): void {
    this.#native.take(frame);
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const response = this.#draft.begun();
    this.#tell("response.created", response);
    this.#tell("response.in_progress", response);
  }

  /** What the object repeats of the request may be long: it is made JSON once. */
  #tell(type: string, response: JsonObject): void {
    this.#repeated ??= inOneLine(stringifyJson(this.#draft.repeated)).slice(1);
    const own = inOneLine(stringifyJson(response)).slice(0, -1);
    this.#sink.written(type, `"response":${own},${this.#repeated}`);
  }
}

/** How an error is told before `response.failed`. */
function errorEvent(error: GatewayError): JsonObject {
  const { code, message } = failureOf(error);
  const { error: body } = errorBody(error);
  return { code, message, param: body.param, error: { ...body, code, message } };
}

/** Collects an answer into a Responses object. */
export async function collect(answer: AnswerBatches, request: ResponsesRequest): Promise<Collected> {
  const draft = new ResponseDraft(request, NO_EVENTS);
  const bounded = new Bounded();
  await readAll(answer, (event) => {
    bounded.add(event);
    draft.take(event);
  });
  return { body: { ...draft.end().response, ...draft.repeated }, usage: draft.usage };
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Makes the ids of one answer and its items: the same but for what they begin with and their last eight digits. */
function newIds(): (prefix: string) => string {
  const stem = Buffer.from(crypto.getRandomValues(new Uint8Array(20))).toString("hex");
  let count = 0;
  return (prefix) => `${prefix}_${stem}${(count++).toString(16).padStart(8, "0")}`;
}
