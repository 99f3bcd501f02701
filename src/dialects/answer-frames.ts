import type { AnswerEvent, DeliveredEvent } from "../answer/answer-event.ts";
import type { NativeEvent } from "../contract/index.ts";
import type { GatewayError } from "../errors/gateway-error.ts";
import type { FrameWriter } from "./dialect.ts";

/**
 * Writes a streamed answer. Frames of an upstream that speaks the client's API go out as they came, and with them the
 * whole answer is the upstream's; any other answer is written by the dialect. A failure is always told by the dialect.
 */
export class AnswerFrames {
  readonly #writer: FrameWriter;
  #isNative: boolean | undefined;
  /** The upstream's frames from its finish on: the last bytes of an answer wait until it is booked. */
  #last = "";

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** Returns the frames of a batch; empty where there is nothing to send. */
  write(batch: readonly DeliveredEvent[]): string {
    let text = "";
    for (const event of batch) {
      if (event.type === "native") text += this.#native(event);
      else if (!this.#isNative) text += this.#own(event);
    }
    return text;
  }

  /** Returns the end of a finished answer. */
  end(): string {
    return this.#isNative ? this.#last : this.#writer.end();
  }

  /** Returns the end of a failed answer. */
  failed(error: GatewayError): string {
    return this.#writer.failed(error);
  }

  #own(event: AnswerEvent): string {
    this.#isNative = false;
    return this.#writer.write(event);
  }

  #native(event: NativeEvent): string {
    this.#isNative ??= true;
    if (!this.#isNative)
      return event.events.map((each) => (each.type === "usage" ? "" : this.#own(each))).join("");
    const frame = frameOf(event);
    if (this.#last === "" && !event.events.some(({ type }) => type === "finish")) {
      this.#writer.passed?.(event);
      return frame;
    }
    this.#last += frame;
    return "";
  }
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.5 */
function frameOf({ name, data }: NativeEvent): string {
  const lines = data.includes("\n") || data.includes("\r") ? data.replaceAll(/\r\n?|\n/g, "\ndata: ") : data;
  return name === "" ? `data: ${lines}\n\n` : `event: ${name}\ndata: ${lines}\n\n`;
}
