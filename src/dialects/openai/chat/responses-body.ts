import type { AnswerBatches, AnswerEvent, NextAnswerBatch } from "../../../answer/answer-event.ts";
import type { Call, ChatStream, JsonObject, ToolCallEvent, Upstream } from "../../../contract/index.ts";
import type { GatewayError } from "../../../errors/gateway-error.ts";
import { isPending } from "../../../runtime/reusable-deferred.ts";
import type { FrameWriter } from "../../dialect.ts";
import { NOTHING_KEPT } from "../../kept-texts.ts";
import { CustomInput } from "../responses/answer/custom-input.ts";
import { checkedBody, ResponsesRequest } from "../responses/request/request.ts";
import type { Tools } from "../responses/request/tools.ts";

/**
 * A body of the Responses API that was sent to the address of chat completions, and is answered in their form. Cursor does
 * so with a base URL of its user's: https://forum.cursor.com/t/153019
 */
export class ResponsesAsChat extends ResponsesRequest {
  override readonly includeUsage: boolean;

  /** Throws a GatewayError that names the member at fault. */
  constructor(body: JsonObject, includeUsage: boolean) {
    super(checkedBody(body), NOTHING_KEPT);
    this.includeUsage = includeUsage;
  }

  /** A chat is never kept for `previous_response_id`. */
  override get keepsState(): boolean {
    return false;
  }

  override ask(upstream: Upstream, model: string, call: Call): Promise<ChatStream> {
    return this.askChat(upstream, this.chat(model), call);
  }
}

/** Makes calls of custom tools of those of the functions that stand for them. */
class CustomCalls {
  readonly #tools: Tools;
  /** By the indexes of the calls. */
  readonly #inputs: (CustomInput | undefined)[] = [];

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  raise(event: AnswerEvent): AnswerEvent {
    return event.type === "tool-call" ? this.#raiseCall(event) : event;
  }

  #raiseCall(event: ToolCallEvent): ToolCallEvent {
    const { index, name, arguments: piece = "", fields } = event;
    const tool = name === undefined ? undefined : this.#tools.raise(name);
    if (tool?.type === "custom") this.#inputs[index] = new CustomInput();
    // A chat has no place for a namespace.
    const named = tool && tool.namespace === undefined ? { ...event, name: tool.name } : event;
    const input = this.#inputs[index];
    return input ? { ...named, arguments: input.push(piece), fields: { ...fields, type: "custom" } } : named;
  }
}

/** Writes the answer to such a request. */
export class CustomCallWriter implements FrameWriter {
  readonly #chunks: FrameWriter;
  readonly #calls: CustomCalls;

  constructor(chunks: FrameWriter, tools: Tools) {
    this.#chunks = chunks;
    this.#calls = new CustomCalls(tools);
  }

  write(event: AnswerEvent): string {
    return this.#chunks.write(this.#calls.raise(event));
  }

  end(): string {
    return this.#chunks.end();
  }

  failed(error: GatewayError): string {
    return this.#chunks.failed(error);
  }
}

/** The answer to such a request. */
export class CustomCallAnswer implements AnswerBatches {
  readonly #answer: AnswerBatches;
  readonly #calls: CustomCalls;

  constructor(answer: AnswerBatches, tools: Tools) {
    this.#answer = answer;
    this.#calls = new CustomCalls(tools);
  }

  next(): NextAnswerBatch | PromiseLike<NextAnswerBatch> {
    const next = this.#answer.next();
    return isPending(next) ? next.then(this.#raise) : this.#raise(next);
  }

  return(): Promise<unknown> {
    return this.#answer.return();
  }

  readonly #raise = (next: NextAnswerBatch): NextAnswerBatch =>
    next.done ? next : { done: false, value: next.value.map((event) => this.#calls.raise(event)) };
}
