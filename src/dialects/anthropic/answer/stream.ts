import type { FinishEvent, JsonObject, Usage } from "../../../contract/index.ts";
import type { AnswerEvent, CountedUsage } from "../../../answer/answer-event.ts";
import type { GatewayError } from "../../../errors/gateway-error.ts";
import type { FrameWriter } from "../../dialect.ts";
import { errorFrame } from "../error.ts";
import { frame } from "../frame.ts";
import type { MessagesRequest } from "../request/request.ts";
import type { BlockSink } from "./block-sequence.ts";
import { BlockSequence } from "./block-sequence.ts";
import { MessageIdentity } from "./message-identity.ts";
import { isCut, stopMembers } from "./stop-reason.ts";
import { usageBody } from "./usage.ts";

/** A text that stands in a frame as it is. What is written in surrogates, or ends a line for some clients, doesn't. */
const PLAIN = /^[ !#-[\]-\u0084\u0086-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;

/**
 * Writes an answer as the events of Anthropic's Messages API.
 * https://platform.claude.com/docs/en/build-with-claude/streaming
 */
export class MessageWriter implements FrameWriter, BlockSink {
  readonly #usageSoFar: () => Usage;
  readonly #identity: MessageIdentity;
  readonly #blocks: BlockSequence;
  #frames = "";
  #hasBegun = false;
  /** The index of the block that was started last. */
  #index = -1;
  /** All of a frame before the text of the block that is open. */
  #beforeText = "";
  #finish: FinishEvent | undefined;
  #usage: CountedUsage | undefined;

  constructor(request: MessagesRequest, usageSoFar: () => Usage) {
    this.#usageSoFar = usageSoFar;
    this.#identity = new MessageIdentity(request.model);
    this.#blocks = new BlockSequence(this, request);
  }

  write(event: AnswerEvent): string {
    if (event.type === "text" && this.#blocks.isInText && !event.choice && PLAIN.test(event.text))
      return event.text === "" ? "" : `${this.#beforeText}${event.text}"}}\n\n`;
    if (event.type === "usage") this.#usage = event;
    else if (event.type === "extra" && event.at === "chunk") this.#identity.learn(event.fields);
    else if (event.type !== "finish") this.#blocks.take(event);
    else if (!event.choice) this.#end(event);
    return this.#flush();
  }

  /** The message's end mark, with what was used. */
  end(): string {
    if (!this.#finish) return "";
    const { usage = {}, source } = this.#usage ?? {};
    this.#add("message_delta", {
      delta: stopMembers(this.#finish, this.#blocks.hasRefusal),
      usage: usageBody(usage),
      ...(source === "estimated" && { x_modelyard: { usage: source } }),
    });
    this.#add("message_stop", {});
    return this.#flush();
  }

  /** Nothing is closed: what is open was not said to its end. */
  failed(error: GatewayError): string {
    return errorFrame(error);
  }

  #end(finish: FinishEvent): void {
    this.#begin();
    this.#blocks.end(isCut(finish));
    this.#finish = finish;
  }

  /** Of the blocks. */
  start(block: JsonObject): void {
    this.#index += 1;
    this.#beforeText = `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.#index},"delta":{"type":"text_delta","text":"`;
    this.#add("content_block_start", { index: this.#index, content_block: block });
  }

  text(text: string): void {
    this.#delta({ type: "text_delta", text });
  }

  thinking(text: string): void {
    this.#delta({ type: "thinking_delta", thinking: text });
  }

  signature(signature: string): void {
    this.#delta({ type: "signature_delta", signature });
  }

  input(json: string): void {
    this.#delta({ type: "input_json_delta", partial_json: json });
  }

  citation(citation: JsonObject): void {
    this.#delta({ type: "citations_delta", citation });
  }

  stop(): void {
    this.#add("content_block_stop", { index: this.#index });
  }

  #delta(delta: JsonObject): void {
    this.#add("content_block_delta", { index: this.#index, delta });
  }

  #add(type: string, members: JsonObject): void {
    this.#begin();
    this.#frames += frame(type, members);
  }

  /** The first event, as late as possible: until then another upstream may answer. */
  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const { id, model } = this.#identity;
    const { output: _, ...usage } = this.#usageSoFar();
    const empty = { content: [], stop_reason: null, stop_sequence: null, usage: usageBody(usage) };
    this.#frames += frame("message_start", {
      message: { id, type: "message", role: "assistant", model, ...empty },
    });
  }

  #flush(): string {
    const frames = this.#frames;
    this.#frames = "";
    return frames;
  }
}
