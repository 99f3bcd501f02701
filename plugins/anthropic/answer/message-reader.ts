import type { MaybeJson } from "modelyard/kit";
import type { CanonicalEvent, FinishReason, JsonObject } from "modelyard/plugin";
import { UpstreamError } from "modelyard/plugin";
import { asArray, asNumber, asObject, errorFromBody, otherMembers, readFinishReason } from "modelyard/kit";
import { ContentBlocks } from "./blocks.ts";
import { mergeUsage, usageOf } from "./usage.ts";

/**
 * Reads an answer of the Messages API, event by event or whole. It is finished with its end mark (`message_stop`, or
 * the end of a plain message) after a `stop_reason`; for servers without the mark, when the stream ends after one.
 * https://platform.claude.com/docs/en/build-with-claude/streaming
 */
export class MessageReader {
  readonly #blocks = new ContentBlocks();
  #usage: JsonObject = {};
  #end: JsonObject = {};
  #isFinished = false;
  #hasEnd = false;
  /** True for a plain answer without `stop_reason`. */
  lacksReason = false;

  /** True after the answer's end mark; later events aren't part of the answer. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** True if no content has followed the last `stop_reason`. */
  get hasEnd(): boolean {
    return this.#hasEnd;
  }

  /** True once a tool call has ended that can't be run: whether that is a fault depends on the answer's finish. */
  get hasBrokenCall(): boolean {
    return this.#blocks.hasBrokenCall;
  }

  /** True after a `stop_reason` that left a tool call open, as servers do that don't send the end of a block. */
  get hasLeftCallOpen(): boolean {
    return this.#hasEnd && this.#blocks.hasOpenCall;
  }

  /** Maps a piece of text. */
  readText(text: string): CanonicalEvent[] {
    this.#hasEnd = false;
    return [{ type: "text", text }];
  }

  /** Maps one event of a stream. Throws the `UpstreamError` of an `error` event. */
  read(type: string, data: JsonObject): CanonicalEvent[] {
    switch (type) {
      case "ping":
        return [];
      case "message_start":
        return this.#start(asObject(data["message"]) ?? {});
      case "content_block_start":
        this.#hasEnd = false;
        return this.#blocks.begin(asNumber(data["index"]) ?? 0, asObject(data["content_block"]) ?? {});
      case "content_block_delta":
        this.#hasEnd = false;
        return this.#blocks.add(asNumber(data["index"]) ?? 0, asObject(data["delta"]) ?? {});
      case "content_block_stop":
        return this.#blocks.end(asNumber(data["index"]) ?? 0);
      case "message_delta":
        return this.#delta(data);
      case "message_stop":
        return this.stop();
      case "error":
        throw errorFromBody(data);
      default:
        // Unknown events, which the API may add, are passed on under their own name.
        return [{ type: "extra", at: "chunk", fields: { [type]: otherMembers(data, TYPE) } }];
    }
  }

  /** Maps a plain answer. Yields its usage before it throws the error of an invalid end. */
  *readWhole(message: JsonObject): Generator<CanonicalEvent, void> {
    const blocks = asArray(message["content"]).flatMap((each, index) => {
      const block = asObject(each);
      return block ? [...this.#blocks.begin(index, block), ...this.#blocks.end(index)] : [];
    });
    const { stop_reason, stop_sequence, stop_details, usage } = message;
    const end = this.#delta({ delta: { stop_reason, stop_sequence, stop_details } });
    yield* this.#start({ ...message, usage: undefined });
    yield* blocks;
    yield* end;
    yield* this.#usageEvents(usage);
    this.lacksReason = this.#reason === "";
    if (this.lacksReason) this.#isFinished = true;
    // A document that parses isn't truncated; the finish reason is marked as unknown.
    yield* this.lacksReason
      ? [{ type: "finish", reason: "stop", fields: { native_finish_reason: null } } as const]
      : this.stop();
  }

  #start(message: JsonObject): CanonicalEvent[] {
    this.#rememberEnd(message);
    const fields = otherMembers(message, MESSAGE_MEMBERS);
    const extra: CanonicalEvent[] =
      Object.keys(fields).length > 0 ? [{ type: "extra", at: "chunk", fields }] : [];
    return [...extra, ...this.#usageEvents(message["usage"])];
  }

  #delta(data: JsonObject): CanonicalEvent[] {
    const delta = asObject(data["delta"]) ?? {};
    this.#rememberEnd(delta);
    if (readFinishReason(delta["stop_reason"]) !== "") this.#hasEnd = true;
    const fields = { ...otherMembers(delta, END_MEMBERS), ...otherMembers(data, DELTA_MEMBERS) };
    const extra: CanonicalEvent[] =
      Object.keys(fields).length > 0 ? [{ type: "extra", at: "chunk", fields }] : [];
    return [...extra, ...this.#usageEvents(data["usage"])];
  }

  #usageEvents(usage: MaybeJson): CanonicalEvent[] {
    if (!asObject(usage)) return [];
    this.#usage = mergeUsage(this.#usage, usage);
    return [{ type: "usage", usage: usageOf(this.#usage) }];
  }

  #rememberEnd(end: JsonObject): void {
    for (const name of END_MEMBERS) this.#end = { ...this.#end, [name]: end[name] ?? this.#end[name] };
  }

  get #reason(): string {
    return readFinishReason(this.#end["stop_reason"]);
  }

  /** Returns the last events of a stream without end mark. Throws `truncated` if no `stop_reason` ended it. */
  end(): CanonicalEvent[] {
    if (!this.#hasEnd) throw new UpstreamError("truncated", "the upstream's answer broke off before its end");
    return this.stop();
  }

  /** Returns the events of the end mark. Throws `truncated` if there was no `stop_reason`. */
  stop(): CanonicalEvent[] {
    const { stop_sequence: sequence, stop_details: details } = this.#end;
    const native = this.#reason;
    if (native === "")
      throw new UpstreamError("truncated", "the upstream's answer ended without a stop_reason");
    this.#isFinished = true;
    return [
      ...this.#blocks.endAll(),
      {
        type: "finish",
        reason: REASONS.get(native) ?? "stop",
        native,
        ...(typeof sequence === "string" && { stopSequence: sequence }),
        ...(asObject(details) && { fields: { stop_details: details } }),
      },
    ];
  }
}

/** All others mean `stop`: `end_turn`, `stop_sequence`, `pause_turn` … */
const REASONS = new Map<string, FinishReason>([
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["tool_use", "tool_calls"],
  ["refusal", "content_filter"],
]);

const TYPE = new Set(["type"]);
const END_MEMBERS = new Set(["stop_reason", "stop_sequence", "stop_details"]);
const MESSAGE_MEMBERS = new Set(["type", "role", "content", "usage", ...END_MEMBERS]);
const DELTA_MEMBERS = new Set(["type", "delta", "usage"]);
