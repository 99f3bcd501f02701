import type { MaybeJson } from "modelyard/kit";
import { asArray, asObject, asObjects, asString, otherMembers, parseAsWritten } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, Json, JsonObject } from "modelyard/plugin";

/** A block of the answer that is being said. */
interface OpenBlock {
  readonly id: string;
  readonly name: string;
  /** The place of its call among the answer's tool calls, if it is one. */
  readonly call: number | undefined;
  /** What has come of a block that has no event of its own; it is given out whole. */
  readonly whole: Record<string, Json | undefined> | undefined;
  /** The input that a call began with, as JSON; what comes in pieces counts before it. */
  readonly input: string;
  json: string;
}

/**
 * Reads the content blocks of an answer, in pieces or whole. Texts, thoughts and tool calls have events of their
 * own; every other block (server tools and their results, compactions …) is given as `content_blocks` once it is
 * complete, with its `index`; citations as `text_citations`.
 */
export class Blocks {
  readonly #open = new Map<number, OpenBlock>();
  #calls = 0;

  /** A block begins; whole blocks of a plain answer are begun with all they hold, and then ended. */
  begin(index: number, block: JsonObject): ChatEvent[] {
    const type = asString(block["type"]);
    const isCall = type === "tool_use";
    const [id, name] = isCall ? [asString(block["id"]), asString(block["name"])] : ["", ""];
    const open = this.#open.get(index);
    // The same call, begun once more before it has said anything.
    if (id !== "" && open?.id === id && open.name === name && open.input + open.json === "") {
      this.#open.set(index, { ...open, input: jsonOf(block["input"]) });
      return [];
    }
    // Some servers don't say that a block has ended.
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

  /** A piece of the block at this place. */
  add(index: number, delta: JsonObject): ChatEvent[] {
    switch (asString(delta["type"])) {
      case "text_delta":
        return textEvents(index, delta);
      case "thinking_delta":
        return thoughtEvents(index, asString(delta["thinking"]), "");
      case "signature_delta":
        return thoughtEvents(index, "", asString(delta["signature"]));
      case "citations_delta":
        return citationEvents(index, [delta["citation"] ?? null]);
      case "input_json_delta":
        return this.#input(index, jsonOf(delta["partial_json"]));
      default:
        return this.#other(index, delta);
    }
  }

  /** The block at this place is complete. */
  end(index: number): ChatEvent[] {
    const block = this.#open.get(index);
    this.#open.delete(index);
    if (!block) return [];
    if (block.call !== undefined && block.json === "" && block.input !== "")
      return [{ type: "tool-call", index: block.call, arguments: block.input }];
    if (!block.whole) return [];
    const input = block.json === "" ? {} : { input: parseAsWritten(block.json) ?? block.json };
    return [extra("content_blocks", { index, ...block.whole, ...input })];
  }

  /** The answer is complete, and with it all its blocks. */
  endAll(): ChatEvent[] {
    return [...this.#open.keys()].flatMap((index) => this.end(index));
  }

  #input(index: number, piece: string): ChatEvent[] {
    const block = this.#open.get(index);
    if (!block || (block.call === undefined && !block.whole))
      throw new UpstreamError("bad-response", "the upstream sent arguments of a call that it didn't begin");
    if (piece === "") return [];
    if (block.call !== undefined) {
      // Only whether there were any counts: they have been given on.
      block.json = " ";
      return [{ type: "tool-call", index: block.call, arguments: piece }];
    }
    block.json += piece;
    return [];
  }

  /** Pieces of blocks without events are put together: texts grow, anything else is replaced. */
  #other(index: number, delta: JsonObject): ChatEvent[] {
    const { type: _, ...members } = delta;
    const whole = this.#open.get(index)?.whole;
    // A piece of a block with events of its own that isn't known yet: it is no block that could come back.
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

function blockEvents(index: number, block: JsonObject): ChatEvent[] {
  const type = asString(block["type"]);
  if (type === "text") return textEvents(index, block);
  if (type === "thinking")
    return thoughtEvents(index, asString(block["thinking"]), asString(block["signature"]));
  if (type !== "redacted_thinking") return [];
  return [{ type: "reasoning", text: "", block: index, redacted: asString(block["data"]) }];
}

function toolCall(index: number, block: JsonObject): ChatEvent {
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

/** Arguments as JSON text, which some servers give instead of their value, or as their value instead; none: empty. */
function jsonOf(said: MaybeJson): string {
  if (typeof said === "string") return said;
  if (said === undefined || said === null) return "";
  // Streams begin with an empty input, which is said piece by piece.
  const members = asObject(said);
  return members && Object.keys(members).length === 0 ? "" : JSON.stringify(said);
}

function textEvents(index: number, block: JsonObject): ChatEvent[] {
  const text = asString(block["text"]);
  const events: ChatEvent[] = text === "" ? [] : [{ type: "text", text }];
  return [...events, ...citationEvents(index, asArray(block["citations"]))];
}

function thoughtEvents(block: number, text: string, signature: string): ChatEvent[] {
  if (text === "" && signature === "") return [];
  return [{ type: "reasoning", text, block, ...(signature !== "" && { signature }) }];
}

function citationEvents(index: number, citations: readonly Json[]): ChatEvent[] {
  const said = asObjects(citations).map((citation) => ({ index, ...citation }));
  return said.length === 0 ? [] : [extra("text_citations", ...said)];
}

function extra(name: string, ...pieces: readonly JsonObject[]): ChatEvent {
  return { type: "extra", at: "delta", fields: { [name]: pieces } };
}
