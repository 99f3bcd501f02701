import type { JsonObject } from "modelyard/plugin";

/** One event of a Messages stream. */
export interface MessageFrame {
  readonly event: string;
  readonly data: JsonObject;
}

/** A Messages stream as a checker saw it. */
export interface CheckedStream {
  readonly frames: readonly MessageFrame[];
  /** The blocks, put together; the input of a call is its JSON text. */
  readonly blocks: readonly CheckedBlock[];
  /** How it ended: with `message_stop`, with `error`, or with neither. */
  readonly end: "stop" | "error" | "cut";
  readonly stopReason: string | undefined;
  readonly usage: JsonObject;
  /** What the rules of the protocol say against it. */
  readonly faults: readonly string[];
}

export interface CheckedBlock {
  readonly type: string;
  readonly start: JsonObject;
  text: string;
  signature: string;
  isClosed: boolean;
}

/** Reads frames as strict clients do: `event:` and then one `data:` line. */
export function framesIn(text: string): MessageFrame[] {
  const all = text.split("\n\n");
  const rest = all.pop() ?? "";
  if (rest !== "") throw new Error(`a frame without its end: ${rest}`);
  return all.map((frame) => {
    const [, event = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
    if (event === "") throw new Error(`no frame: ${frame}`);
    return { event, data: JSON.parse(data) as JsonObject };
  });
}

const DELTAS: Readonly<Record<string, readonly string[]>> = {
  text: ["text_delta", "citations_delta"],
  thinking: ["thinking_delta", "signature_delta"],
  tool_use: ["input_json_delta"],
};

/** Checks a whole stream against the protocol's order, indices and members. */
export function checkStream(text: string): CheckedStream {
  const checker = new Checker();
  const frames = framesIn(text);
  for (const frame of frames) checker.take(frame);
  return { frames, ...checker.result() };
}

const OF_PROMPTS = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];

class Checker {
  readonly #blocks: CheckedBlock[] = [];
  readonly #faults: string[] = [];
  #hasStarted = false;
  #end: CheckedStream["end"] = "cut";
  #stopReason: string | undefined;
  #usage: JsonObject = {};

  take({ event, data }: MessageFrame): void {
    this.#expect(data["type"] === event, `${event} has another type in its data`);
    this.#expect(this.#end === "cut", `${event} behind the end`);
    if (event === "ping" || event === "error") {
      if (event === "error") this.#error(data);
      return;
    }
    this.#expect(event === "message_start" || this.#hasStarted, `${event} before message_start`);
    this.#expect(this.#stopReason === undefined || event === "message_stop", `${event} behind message_delta`);
    switch (event) {
      case "message_start":
        return this.#start(data["message"] as JsonObject);
      case "content_block_start":
        return this.#startBlock(data);
      case "content_block_delta":
        return this.#delta(data);
      case "content_block_stop":
        return this.#stopBlock(data);
      case "message_delta":
        return this.#messageDelta(data);
      case "message_stop":
        this.#expect(this.#stopReason !== undefined, "message_stop without a reason");
        this.#end = "stop";
        return;
      default:
        this.#faults.push(`an unknown event ${event}`);
    }
  }

  result(): Omit<CheckedStream, "frames"> {
    const open = this.#blocks.filter(({ isClosed }) => !isClosed);
    const mayBeOpen =
      this.#end !== "stop" || this.#stopReason === "max_tokens" || this.#stopReason === "refusal";
    const isCutCall = mayBeOpen && open.length === 1 && open[0]?.type === "tool_use";
    if (this.#end === "stop" && open.length > 0 && !isCutCall)
      this.#faults.push("a block is open at the end");
    return {
      blocks: this.#blocks,
      end: this.#end,
      stopReason: this.#stopReason,
      usage: this.#usage,
      faults: this.#faults,
    };
  }

  #expect(isTrue: boolean, fault: string): void {
    if (!isTrue) this.#faults.push(fault);
  }

  #start(message: JsonObject): void {
    this.#expect(!this.#hasStarted, "a second message_start");
    this.#hasStarted = true;
    const { id, type, role, model, content, stop_reason, stop_sequence } = message;
    const isNamed = typeof id === "string" && id !== "" && typeof model === "string" && model !== "";
    this.#expect(isNamed && type === "message" && role === "assistant", "message_start names no message");
    this.#expect(Array.isArray(content) && content.length === 0, "message_start with content");
    this.#expect(stop_reason === null && stop_sequence === null, "message_start with an end");
    this.#checkUsage(message["usage"] as JsonObject | undefined, "message_start");
  }

  #startBlock({ index, content_block: start }: JsonObject): void {
    this.#expect(
      index === this.#blocks.length,
      `block ${JSON.stringify(index)} after ${this.#blocks.length} blocks`,
    );
    this.#expect(this.#blocks.at(-1)?.isClosed !== false, "a block within another");
    const block = start as JsonObject;
    this.#blocks.push({
      type: block["type"] as string,
      start: block,
      text: "",
      signature: "",
      isClosed: false,
    });
    if (block["type"] !== "tool_use") return;
    const { id, name, input } = block;
    this.#expect(typeof id === "string" && /^[\w-]+$/.test(id), "a call without a good id");
    this.#expect(typeof name === "string" && name !== "", "a call without a name");
    this.#expect(JSON.stringify(input) === "{}", "a call that begins with input");
    const isTaken = this.#blocks.slice(0, -1).some((other) => other.start["id"] === id);
    this.#expect(!isTaken, "two calls with one id");
  }

  #delta({ index, delta }: JsonObject): void {
    const block = this.#blocks.at(-1);
    if (!block || index !== this.#blocks.length - 1 || block.isClosed) {
      this.#faults.push(`a delta of block ${JSON.stringify(index)}, which is not open`);
      return;
    }
    const { type, text, thinking, signature, partial_json: json } = delta as Readonly<Record<string, string>>;
    this.#expect(DELTAS[block.type]?.includes(type ?? "") === true, `${type} in a block of ${block.type}`);
    block.text += text ?? thinking ?? json ?? "";
    block.signature += signature ?? "";
  }

  #stopBlock({ index }: JsonObject): void {
    const block = this.#blocks.at(-1);
    this.#expect(index === this.#blocks.length - 1 && block?.isClosed === false, "a stop of no open block");
    if (!block) return;
    block.isClosed = true;
    if (block.type === "tool_use")
      this.#expect(block.text === "" || isJsonObject(block.text), `a closed call of ${block.text}`);
    if (block.type === "text") this.#expect(block.text !== "", "an empty block of text");
  }

  #messageDelta({ delta, usage }: JsonObject): void {
    const { stop_reason: reason } = delta as JsonObject;
    this.#expect(typeof reason === "string", "message_delta without a reason");
    this.#stopReason = typeof reason === "string" ? reason : "";
    this.#usage = (usage ?? {}) as JsonObject;
    this.#checkUsage(this.#usage, "message_delta");
  }

  /** The API's own `message_delta` repeats the counts of the prompt for some models only. */
  #checkUsage(usage: JsonObject | undefined, where: "message_start" | "message_delta"): void {
    const names = where === "message_start" ? OF_PROMPTS : [];
    for (const name of [...names, "output_tokens"]) {
      const count = usage?.[name];
      this.#expect(Number.isInteger(count) && Number(count) >= 0, `${where} without ${name}`);
    }
  }

  #error(data: JsonObject): void {
    this.#end = "error";
    const { type, message } = (data["error"] ?? {}) as JsonObject;
    this.#expect(typeof type === "string" && typeof message === "string", "an error without words");
  }
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
