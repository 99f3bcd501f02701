import type { JsonObject } from "../contract/index.ts";
import type { AnswerBatches, AnswerEvent, CountedUsage } from "../answer/answer-event.ts";
import type { GatewayError } from "../errors/gateway-error.ts";

/** How one kind of client wants to hear an answer. */
export interface Dialect {
  /** As `openai-chat`. */
  readonly name: string;
  /** A comment that fills silence in a stream. */
  readonly comment: string;
  /** Writes one streamed answer. */
  writer(options: WriterOptions): FrameWriter;
  /** Collects a whole answer. */
  collect(answer: AnswerBatches, model: string): Promise<Collected>;
}

export interface WriterOptions {
  /** The name for the answer's `model` until the upstream gives its own. */
  readonly model: string;
  readonly includeUsage: boolean;
}

export interface FrameWriter {
  /** The frames for an event; empty where there is nothing to send. */
  write(event: AnswerEvent): string;
  /** The end of a finished answer. */
  end(): string;
  /** The end of a failed one. */
  failed(error: GatewayError): string;
}

/** A plain answer, and where its usage comes from. */
export interface Collected {
  readonly body: JsonObject;
  readonly usage: CountedUsage | undefined;
}
