import type { FinishEvent, JsonObject } from "../../../contract/index.ts";
import type { AnswerEvent, CountedUsage } from "../../../answer/answer-event.ts";
import { flattenString } from "../../../runtime/flatten-string.ts";
import type { FrameWriter, WriterOptions } from "../../dialect.ts";
import { inOneLine, PLAIN } from "../../one-line.ts";
import type { GatewayError } from "../../../errors/gateway-error.ts";
import { errorFrame } from "../error.ts";
import { DONE_FRAME } from "../sse.ts";
import { finishFields, finishReason } from "./finish.ts";
import { Identity, NOT_EXTRA } from "../identity.ts";
import { reasoningFields } from "./reasoning.ts";
import { toolCallDelta } from "./tool-call.ts";
import { usageBody } from "../usage.ts";

/** Fields of the whole answer that don't go out with one of its chunks: those of `NOT_EXTRA`, and what stands in each. */
const NOT_ONCE = new Set([...NOT_EXTRA, "system_fingerprint", "service_tier"]);

/** What follows the text in a frame that has nothing else to say. */
const BEHIND_TEXT = `"},"finish_reason":null}]`;

/** What each chunk before the one with the usage says of it, where the client asked for one. */
const NO_USAGE_YET = `,"usage":null`;

/**
 * Writes an answer as OpenAI's `chat.completion.chunk` frames, one `data:` line each.
 * https://platform.openai.com/docs/api-reference/chat-streaming
 */
export class ChunkWriter implements FrameWriter {
  readonly #identity: Identity;
  readonly #includeUsage: boolean;
  readonly #behindText: string;
  /** The choices of which something was written. */
  readonly #begun: (true | undefined)[] = [];
  /** All of a frame before `choices`; the same for nearly all frames of a stream, so it is made once. */
  #head: string | undefined;
  /** All of a frame before its text, where it says nothing but a text of the first choice, as nearly all do. */
  #beforeText: string | undefined;
  #tail = "";

  constructor({ model, includeUsage }: WriterOptions) {
    this.#identity = new Identity(model, "chatcmpl");
    this.#includeUsage = includeUsage;
    this.#behindText = `${BEHIND_TEXT}${includeUsage ? NO_USAGE_YET : ""}}\n\n`;
  }

  write(event: AnswerEvent): string {
    switch (event.type) {
      case "text":
        return this.#text(event.text, event.choice ?? 0);
      case "reasoning":
        return this.#delta(event.choice ?? 0, members(reasoningFields(event)));
      case "tool-call":
        return this.#delta(event.choice ?? 0, `"tool_calls":[${JSON.stringify(toolCallDelta(event))}]`);
      case "finish":
        return this.#finish(event);
      case "extra":
        return this.#extra(event);
      case "usage":
        return this.#usage(event);
    }
  }

  /** `[DONE]`, after any fields about the whole answer that came after its last chunk. */
  end(): string {
    const rest = this.#tail === "" ? "" : this.#frame(`{"index":0,"delta":{},"finish_reason":null}`);
    return rest + DONE_FRAME;
  }

  failed(error: GatewayError): string {
    return errorFrame(error);
  }

  #text(text: string, choice: number): string {
    if (choice === 0 && this.#begun[0] && this.#tail === "" && PLAIN.test(text)) {
      // Three texts put together: more of them would cost as much as all else that is done with the event.
      this.#beforeText ??= flattenString(
        `data: ${this.#envelope()}"choices":[{"index":0,"delta":{"content":"`,
      );
      return this.#beforeText + text + this.#behindText;
    }
    return this.#delta(choice, `"content":${JSON.stringify(text)}`);
  }

  #delta(choice: number, delta: string): string {
    return this.#frame(`{"index":${choice},"delta":{${this.#role(choice, delta)}},"finish_reason":null}`);
  }

  /** The first delta of a choice says whose words they are. */
  #role(choice: number, delta: string): string {
    if (this.#begun[choice]) return delta;
    this.#begun[choice] = true;
    return delta === "" ? `"role":"assistant"` : `"role":"assistant",${delta}`;
  }

  #finish(event: FinishEvent): string {
    const { choice = 0 } = event;
    const extra = members(finishFields(event));
    const delta = this.#role(choice, "");
    return this.#frame(
      `{"index":${choice},"delta":{${delta}},"finish_reason":"${finishReason(event)}"${extra && `,${extra}`}}`,
    );
  }

  #extra({ at, fields, choice = 0 }: Extract<AnswerEvent, { type: "extra" }>): string {
    if (at === "delta") return this.#delta(choice, members(fields));
    if (at === "chunk") {
      this.#learn(fields);
      return "";
    }
    const extra = members(fields);
    return this.#frame(
      `{"index":${choice},"delta":{${this.#role(choice, "")}},"finish_reason":null${extra && `,${extra}`}}`,
    );
  }

  /** Fields of the whole answer go out with the next chunk; those that OpenAI repeats, with each. */
  #learn(fields: JsonObject): void {
    this.#identity.learn(fields);
    this.#head = undefined;
    this.#beforeText = undefined;
    for (const name of Object.keys(fields)) {
      const extra = NOT_ONCE.has(name) ? "" : members({ [name]: fields[name] });
      if (extra) this.#tail += `,${extra}`;
    }
  }

  #usage({ usage, source }: CountedUsage): string {
    if (!this.#includeUsage) return "";
    const told = `"usage":${JSON.stringify(usageBody(usage))},"x_modelyard":{"usage":"${source}"}`;
    this.#tail = `,${told}${this.#tail}`;
    return this.#frame("");
  }

  /** A chunk; without a choice it is the one with the usage. */
  #frame(choice: string): string {
    const tail = this.#includeUsage && choice !== "" ? NO_USAGE_YET + this.#tail : this.#tail;
    this.#tail = "";
    return `data: ${this.#envelope()}"choices":[${inOneLine(choice)}]${inOneLine(tail)}}\n\n`;
  }

  #envelope(): string {
    return (this.#head ??= this.#makeHead());
  }

  #makeHead(): string {
    const { id, created, model, extra } = this.#identity;
    const repeated = members({
      system_fingerprint: extra["system_fingerprint"],
      service_tier: extra["service_tier"],
    });
    const own = `{"id":${JSON.stringify(id)},"object":"chat.completion.chunk","created":${created},"model":${JSON.stringify(model)},`;
    return repeated ? `${own}${repeated},` : own;
  }
}

/** An object's members without its braces. */
function members(fields: JsonObject): string {
  return JSON.stringify(fields).slice(1, -1);
}
