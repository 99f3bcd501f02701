import type { MaybeJson } from "modelyard/kit";
import {
  asArray,
  asObject,
  asObjects,
  asString,
  otherMembers,
  parseAsWritten,
  parseJson,
} from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { CanonicalEvent, Json, JsonObject } from "modelyard/plugin";

/** A block of the answer that isn't complete yet. */
interface OpenBlock {
  readonly id: string;
  readonly name: string;
  /** The index among the answer's tool calls, if the block is one. */
  readonly call: number | undefined;
  /** The members so far of a block without events of its own, which is emitted when complete. */
  readonly whole: Record<string, Json | undefined> | undefined;
  /** The JSON text of the input at the call's start; input in pieces takes precedence. */
  readonly input: string;
  json: string;
}

/**
 * Reads the content blocks of an answer, in pieces or whole. Texts, thinking and tool calls have events of their own.
 * Every other block (server tools and their results, compactions …) is emitted as `content_blocks` with its `index`
 * when complete; citations as `text_citations`.
 */
export class ContentBlocks {
  readonly #open = new Map<number, OpenBlock>();
  #calls = 0;
  #hasBrokenCall = false;

  /** True once a tool call has ended whose arguments are no JSON object. */
  get hasBrokenCall(): boolean {
    return this.#hasBrokenCall;
  }

  /** True while a tool call has begun and not ended. */
  get hasOpenCall(): boolean {
    return this.#open.values().some(({ call }) => call !== undefined);
  }

  /** Begins a block. Whole blocks of a plain answer are begun with their content and ended. */
  begin(index: number, block: JsonObject): CanonicalEvent[] {
    const type = asString(block["type"]);
    const isCall = type === "tool_use";
    const [id, name] = isCall ? [asString(block["id"]), asString(block["name"])] : ["", ""];
    const open = this.#open.get(index);
    // A repeated start of the same call before its first input.
    if (id !== "" && open?.id === id && open.name === name && open.input + open.json === "") {
      this.#open.set(index, { ...open, input: jsonOf(block["input"]) });
      return [];
    }
    // Some servers don't send the end of a block.
    const before = this.end(index);
    const isOther = !isCall && !WITH_EVENTS.has(type);
    const call = isCall ? this.#calls++ : undefined;
    this.#open.set(index, {
      id,
      name,
      call,
      whole: isOther ? { ...block } : undefined,
      input: isCall ? jsonOf(block["input"]) : "",
      json: "",
    });
    return [...before, ...(call === undefined ? blockEvents(index, block) : [toolCall(call, block)])];
  }

  /** Adds a piece to the block at this index. */
  add(index: number, delta: JsonObject): CanonicalEvent[] {
    switch (asString(delta["type"])) {
      case "text_delta": {
        // Nearly all pieces.
        const text = asString(delta["text"]);
        return text === "" ? [] : [{ type: "text", text }];
      }
      case "thinking_delta":
        return thinkingEvents(index, asString(delta["thinking"]), "");
      case "signature_delta":
        return thinkingEvents(index, "", asString(delta["signature"]));
      case "citations_delta":
        return citationEvents(index, [delta["citation"] ?? null]);
      case "input_json_delta":
        return this.#input(index, jsonOf(delta["partial_json"]));
      default:
        return this.#other(index, delta);
    }
  }

  /** Ends the block at this index. */
  end(index: number): CanonicalEvent[] {
    const block = this.#open.get(index);
    this.#open.delete(index);
    if (!block) return [];
    if (block.call !== undefined) this.#hasBrokenCall ||= !isInput(block.json || block.input);
    if (block.call !== undefined && block.json === "" && block.input !== "")
      return [{ type: "tool-call", index: block.call, arguments: block.input }];
    if (!block.whole) return [];
    const input = block.json === "" ? {} : { input: parseAsWritten(block.json) ?? block.json };
    return [extra("content_blocks", { index, ...block.whole, ...input })];
  }

  /** Ends all blocks at the answer's end. */
  endAll(): CanonicalEvent[] {
    return [...this.#open.keys()].flatMap((index) => this.end(index));
  }

  #input(index: number, piece: string): CanonicalEvent[] {
    const block = this.#open.get(index);
    if (!block || (block.call === undefined && !block.whole))
      throw new UpstreamError("bad-response", "the upstream sent arguments of a call that it didn't begin");
    if (piece === "") return [];
    if (block.call !== undefined) {
      block.json += piece;
      return [{ type: "tool-call", index: block.call, arguments: piece }];
    }
    block.json += piece;
    return [];
  }

  /** Merges a piece into a block without events: strings are appended, other values replaced. */
  #other(index: number, delta: JsonObject): CanonicalEvent[] {
    const { type: _, ...members } = delta;
    const whole = this.#open.get(index)?.whole;
    // An unknown kind of piece of a block with events of its own; it can't be restored from history.
    if (!whole) return [extra("content_deltas", { index, ...delta })];
    for (const [name, value] of Object.entries(members)) {
      const before = whole[name];
      whole[name] = typeof before === "string" && typeof value === "string" ? before + value : value;
    }
    return [];
  }
}

const WITH_EVENTS = new Set(["text", "thinking", "redacted_thinking"]);
const CALL_MEMBERS = new Set(["type", "id", "name", "input"]);
const MEMBERS_OF_DIRECT_CALLS = new Set([...CALL_MEMBERS, "caller"]);

function blockEvents(index: number, block: JsonObject): CanonicalEvent[] {
  const type = asString(block["type"]);
  if (type === "text") return textEvents(index, block);
  if (type === "thinking")
    return thinkingEvents(index, asString(block["thinking"]), asString(block["signature"]));
  if (type !== "redacted_thinking") return [];
  return [{ type: "reasoning", text: "", block: index, redacted: asString(block["data"]) }];
}

function toolCall(index: number, block: JsonObject): CanonicalEvent {
  const isDirect = asObject(block["caller"])?.["type"] === "direct";
  const fields = otherMembers(block, isDirect ? MEMBERS_OF_DIRECT_CALLS : CALL_MEMBERS);
  return {
    type: "tool-call",
    index,
    id: asString(block["id"]),
    name: asString(block["name"]),
    ...(Object.keys(fields).length > 0 && { fields: { extra_content: fields } }),
  };
}

/**
 * Returns a call's input as JSON text. Some servers send it as text, others as its value; without one the text is
 * empty.
 */
function jsonOf(value: MaybeJson): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  // Streams begin with an empty input, whose pieces follow.
  const members = asObject(value);
  return members && Object.keys(members).length === 0 ? "" : JSON.stringify(value);
}

/** Whether a call can be run with this text for its input; without arguments it may be blank. */
function isInput(json: string): boolean {
  return json.trim() === "" || asObject(parseJson(json)) !== undefined;
}

function textEvents(index: number, block: JsonObject): CanonicalEvent[] {
  const text = asString(block["text"]);
  const events: CanonicalEvent[] = text === "" ? [] : [{ type: "text", text }];
  return [...events, ...citationEvents(index, asArray(block["citations"]))];
}

function thinkingEvents(block: number, text: string, signature: string): CanonicalEvent[] {
  if (text === "" && signature === "") return [];
  return [{ type: "reasoning", text, block, ...(signature !== "" && { signature }) }];
}

function citationEvents(index: number, citations: readonly Json[]): CanonicalEvent[] {
  const pieces = asObjects(citations).map((citation) => ({ index, ...citation }));
  return pieces.length === 0 ? [] : [extra("text_citations", ...pieces)];
}

function extra(name: string, ...pieces: readonly JsonObject[]): CanonicalEvent {
  return { type: "extra", at: "delta", fields: { [name]: pieces } };
}
