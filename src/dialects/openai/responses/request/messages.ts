import type { Json, JsonObject, Message } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";
import type { Impossible } from "./parts.ts";
import { contentOf, joinedTexts, spokenIn } from "./parts.ts";
import { invalid, listOf, textIn } from "../../../fitting/values.ts";
import { unwrapReasoning } from "../reasoning.ts";
import type { Tools } from "./tools.ts";

/** An item of a conversation, and where the client wrote it. */
export interface PlacedItem {
  readonly item: JsonObject;
  /** As `input[3]`. */
  readonly place: string;
}

const ROLES: ReadonlySet<string> = new Set(["user", "assistant", "system", "developer"]);

/** What one turn of the assistant said, over several items. */
interface Turn {
  readonly texts: string[];
  readonly calls: JsonObject[];
  /** Signed or encrypted reasoning. */
  readonly details: JsonObject[];
  /** What an upstream without signatures has thought. */
  unsigned: string;
}

/** Turns items into the messages of a chat request: what the assistant said between two others is one message. */
export class Messages {
  readonly list: Message[] = [];
  /** The names of what has no place in a chat request. */
  readonly leftOut = new Set<string>();
  /** What no other upstream than one that speaks this API may be asked. */
  impossible: Impossible | undefined;
  readonly #tools: Tools;
  #turn: Turn | undefined;

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  /** Adds a system message. */
  instruct(text: string): void {
    this.list.push({ role: "system", content: text });
  }

  add({ item, place }: PlacedItem): void {
    const { type } = item;
    switch (typeof type === "string" ? type : "message") {
      case "message":
        return this.#message(item, place);
      case "reasoning":
        return this.#reasoning(item);
      case "function_call":
      case "custom_tool_call":
        return this.#call(item, place);
      case "function_call_output":
      case "custom_tool_call_output":
        return this.#output(item, place);
      case "compaction":
        this.impossible ??= {
          param: place,
          why: "only the server that compacted a conversation can read it",
        };
        break;
      default:
        this.leftOut.add(`input[].${typeof type === "string" ? type : ""}`);
    }
  }

  /** Ends the last turn. */
  end(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    if (!turn) return;
    if (turn.texts.length === 0 && turn.calls.length === 0) this.leftOut.add("input[].reasoning");
    else this.list.push(messageOf(turn));
  }

  #message(item: JsonObject, place: string): void {
    const { role, content } = item;
    if (typeof role !== "string" || !ROLES.has(role)) {
      throw invalid(`${place}.role`, `expected one of ${[...ROLES].join(", ")}`);
    }
    if (role !== "assistant") {
      this.end();
      this.list.push({ role, content: this.#content(content, `${place}.content`) });
      return;
    }
    this.#open().texts.push(...spokenIn(content, `${place}.content`));
  }

  #reasoning({ summary, content, encrypted_content: encrypted }: JsonObject): void {
    const turn = this.#open();
    const { details } = turn;
    const wrapped = typeof encrypted === "string" ? unwrapReasoning(encrypted) : undefined;
    if (typeof encrypted === "string" && !wrapped) this.leftOut.add("input[].reasoning.encrypted_content");
    if (!wrapped) turn.unsigned += textsIn(content) || textsIn(summary);
    // Blocks are numbered within an answer, and a turn may hold the reasoning of several.
    for (const detail of wrapped ?? []) details.push({ ...detail, index: details.length });
  }

  #call(item: JsonObject, place: string): void {
    const { name, call_id: id, namespace } = item;
    if (typeof name !== "string") throw invalid(`${place}.name`, "expected string");
    if (typeof id !== "string") throw invalid(`${place}.call_id`, "expected string");
    const isCustom = item["type"] === "custom_tool_call";
    const given = item[isCustom ? "input" : "arguments"];
    if (typeof given !== "string") {
      throw invalid(`${place}.${isCustom ? "input" : "arguments"}`, "expected string");
    }
    const { extra_content: extra } = item;
    this.#open().calls.push({
      id,
      type: "function",
      function: {
        name: this.#tools.nameOf(name, typeof namespace === "string" ? namespace : undefined),
        arguments: isCustom ? JSON.stringify({ input: given }) : given,
      },
      ...(extra !== undefined && { extra_content: extra }),
    });
  }

  #output({ call_id: id, output }: JsonObject, place: string): void {
    if (typeof id !== "string") throw invalid(`${place}.call_id`, "expected string");
    this.end();
    const content = isObject(output) ? JSON.stringify(output) : this.#content(output, `${place}.output`);
    this.list.push({ role: "tool", tool_call_id: id, content });
  }

  #content(content: Json | undefined, place: string): Message["content"] & {} {
    const { parts, impossible } = contentOf(content, place);
    this.impossible ??= impossible;
    return parts;
  }

  #open(): Turn {
    return (this.#turn ??= { texts: [], calls: [], details: [], unsigned: "" });
  }
}

function messageOf({ texts, calls, details, unsigned }: Turn): Message {
  return {
    role: "assistant",
    content: joinedTexts(texts),
    ...(details.length > 0 && { reasoning_details: details }),
    ...(unsigned !== "" && { reasoning_content: unsigned }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function textsIn(parts: Json | undefined): string {
  return listOf(parts)
    .map(({ text }) => textIn(text))
    .join("");
}
