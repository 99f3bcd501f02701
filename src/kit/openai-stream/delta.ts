import type { ChatEvent, Json, JsonObject, UsageEvent } from "../../contract/index.ts";
import { emptyObject, listOf, objectOf, textOf } from "../json.ts";
import type { Said } from "../json.ts";
import { toolCallEvents } from "./tool-calls.ts";

/** An event that belongs to a choice. */
export type ChoiceEvent = Exclude<ChatEvent, UsageEvent>;

/**
 * The events of a `delta`, or of a whole `message`: reasoning, text, what has no event of its own, tool calls.
 * Parts of a content list that are not text come under `content_parts`, so that they don't replace the text.
 */
export function deltaEvents(delta: JsonObject, isWhole: boolean): ChoiceEvent[] {
  const events: ChoiceEvent[] = [];
  const reasoning = reasoningIn(delta);
  if (reasoning !== "") events.push({ type: "reasoning", text: reasoning });
  const { text, parts } = contentIn(delta["content"]);
  if (text !== "") events.push({ type: "text", text });
  const fields = othersIn(delta, parts, isWhole);
  if (fields) events.push({ type: "extra", at: "delta", fields });
  const pieces = listOf(delta["tool_calls"]);
  if (pieces.length > 0) events.push(...toolCallEvents(pieces, isWhole));
  return events;
}

/** Many servers give the same text under both names, for clients of either. */
function reasoningIn(delta: JsonObject): string {
  const first = textOf(delta["reasoning_content"]);
  const second = textOf(delta["reasoning"]);
  return first === second ? first : first + second;
}

interface Content {
  readonly text: string;
  readonly parts: readonly Json[];
}

function contentIn(content: Said): Content {
  if (!Array.isArray(content)) return { text: textOf(content), parts: NO_PARTS };
  const [texts, parts]: [string[], Json[]] = [[], []];
  for (const part of listOf(content)) {
    const members = objectOf(part);
    if (TEXT_PARTS.has(textOf(members?.["type"]))) texts.push(textOf(members?.["text"]));
    else parts.push(part);
  }
  return { text: texts.join(""), parts };
}

const TEXT_PARTS = new Set(["text", "output_text"]);

const NO_PARTS: readonly Json[] = [];

function othersIn(delta: JsonObject, parts: readonly Json[], isWhole: boolean): JsonObject | undefined {
  let fields: Record<string, Said> | undefined;
  if (parts.length > 0) {
    fields = emptyObject();
    fields["content_parts"] = parts;
  }
  for (const name of Object.keys(delta)) {
    const value = delta[name];
    if (value === null || isRead(name, value) || (!isWhole && isEmpty(value))) continue;
    fields ??= emptyObject();
    fields[name] = value;
  }
  return fields;
}

function isRead(name: string, value: Said): boolean {
  if (name === "reasoning" || name === "reasoning_content") return typeof value === "string";
  return name === "content" || name === "role" || name === "tool_calls";
}

// Servers fill the first delta of a stream with these; a whole message says something by them.
function isEmpty(value: Said): boolean {
  return value === "" || (Array.isArray(value) && value.length === 0);
}
