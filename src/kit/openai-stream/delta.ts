import type { CanonicalEvent, Json, JsonObject, UsageEvent } from "../../contract/index.ts";
import { emptyObject, asArray, asObject, asString } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";
import { toolCallEvents } from "./tool-calls.ts";

/** An event that belongs to a choice. */
export type ChoiceEvent = Exclude<CanonicalEvent, UsageEvent>;

/** Where a server writes reasoning: in one of two members, or in parts of the content (Mistral). */
export type ReasoningForm = "reasoning_content" | "reasoning" | "thinking";

/**
 * Returns the events of a `delta` or a whole `message`: reasoning, text, other fields, tool calls. A content array
 * that can't be rebuilt from text and reasoning is also kept whole in `content_parts`, so that it can be sent back
 * unchanged. Of a stream these are the arrays with parts that are neither text nor thinking.
 */
export function deltaEvents(delta: JsonObject, isWhole: boolean): ChoiceEvent[] {
  const events: ChoiceEvent[] = [];
  const reasoning = reasoningIn(delta);
  if (reasoning !== "") events.push({ type: "reasoning", text: reasoning });
  const { content } = delta;
  const parts = Array.isArray(content) ? asArray(content) : NO_PARTS;
  // Some servers send one call without the array around it.
  const calls = delta["tool_calls"];
  const pieces = asObject(calls) ? [calls as JsonObject] : asArray(calls);
  if (typeof content === "string") pushText(events, content, isWhole && pieces.length > 0);
  for (const part of parts) pushPart(events, part);
  const isRestorable = isWhole ? hasCanonicalForm(parts) : parts.every(isKnownPart);
  const fields = otherFields(delta, isRestorable ? NO_PARTS : parts, isWhole);
  if (fields) events.push({ type: "extra", at: "delta", fields });
  if (pieces.length > 0) events.push(...toolCallEvents(pieces, isWhole));
  return events;
}

/** Returns the form of the reasoning in a delta or message, if it has any. */
export function reasoningForm(delta: JsonObject): ReasoningForm | undefined {
  if (asString(delta["reasoning_content"]) !== "") return "reasoning_content";
  if (asString(delta["reasoning"]) !== "") return "reasoning";
  return asArray(delta["content"]).some((part) => thinkingIn(part) !== undefined) ? "thinking" : undefined;
}

/** Returns the reasoning once, although many servers send the same text under both names. */
function reasoningIn(delta: JsonObject): string {
  const first = asString(delta["reasoning_content"]);
  const second = asString(delta["reasoning"]);
  return first === second ? first : first + second;
}

// Beside tool calls an empty content stays "": without it, a client would send null back.
function pushText(events: ChoiceEvent[], text: string, keepsEmpty: boolean): void {
  if (text !== "" || keepsEmpty) events.push({ type: "text", text });
}

function pushPart(events: ChoiceEvent[], part: Json): void {
  const [text, thinking] = [textIn(part), thinkingIn(part)];
  if (text) events.push({ type: "text", text });
  if (thinking) events.push({ type: "reasoning", text: thinking });
}

/** Returns the text of a text part. */
function textIn(part: Json): string | undefined {
  const members = asObject(part);
  return TEXT_PARTS.has(asString(members?.["type"])) ? asString(members?.["text"]) : undefined;
}

/** Returns the text of a thinking part, which Mistral sends as an array. https://docs.mistral.ai/capabilities/reasoning */
function thinkingIn(part: Json): string | undefined {
  const members = asObject(part);
  if (members?.["type"] !== "thinking") return undefined;
  const said = members["thinking"];
  return typeof said === "string"
    ? said
    : asArray(said)
        .map((each) => textIn(each) ?? "")
        .join("");
}

function isKnownPart(part: Json): boolean {
  return textIn(part) !== undefined || thinkingIn(part) !== undefined;
}

/** Returns whether a whole list can be rebuilt from its thinking and its text: one part of each, without other members. */
function hasCanonicalForm(parts: readonly Json[]): boolean {
  const text = parts.map((part) => textIn(part) ?? "").join("");
  const thinking = parts.map((part) => thinkingIn(part) ?? "").join("");
  const thought = { type: "thinking", thinking: [{ type: "text", text: thinking }] };
  const canonical = thinking === "" ? [] : [thought, ...(text === "" ? [] : [{ type: "text", text }])];
  return JSON.stringify(parts) === JSON.stringify(canonical);
}

const TEXT_PARTS = new Set(["text", "output_text"]);

const NO_PARTS: readonly Json[] = [];

function otherFields(delta: JsonObject, parts: readonly Json[], isWhole: boolean): JsonObject | undefined {
  let fields: Record<string, MaybeJson> | undefined;
  if (parts.length > 0) {
    fields = emptyObject();
    fields["content_parts"] = parts;
  }
  for (const name of Object.keys(delta)) {
    const value = delta[name];
    if (value === null || hasEvent(name, value) || (!isWhole && isEmpty(value))) continue;
    fields ??= emptyObject();
    fields[name] = value;
  }
  return fields;
}

/** An empty reasoning has no event, and servers (DeepSeek) ask for it back beside tool calls. */
function hasEvent(name: string, value: MaybeJson): boolean {
  if (name === "reasoning" || name === "reasoning_content") return typeof value === "string" && value !== "";
  return name === "content" || name === "role" || name === "tool_calls";
}

// Servers fill the first delta of a stream with these; in a whole message they are meant.
function isEmpty(value: MaybeJson): boolean {
  return value === "" || (Array.isArray(value) && value.length === 0);
}
