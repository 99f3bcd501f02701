import type { Json, JsonObject, ToolCallEvent } from "../../contract/index.ts";
import { asNumber, asObject, asString, otherMembers } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/**
 * Returns the events of one `tool_calls` array under the upstream's indexes; the gateway repairs duplicates. Each entry
 * of a whole message is a call of its own; an entry without an index gets its position. The chunk reader checks indexes.
 */
export function toolCallEvents(pieces: readonly Json[], isWhole: boolean): ToolCallEvent[] {
  const events: ToolCallEvent[] = [];
  for (let place = 0; place < pieces.length; place++) {
    const call = asObject(pieces[place]);
    const event = call && eventOf(call, isWhole ? place : indexOf(call["index"], place));
    if (event && Boolean(event.id ?? event.name ?? event.fields ?? event.arguments)) events.push(event);
  }
  return events;
}

/** Some servers write the index as a string. */
function indexOf(said: MaybeJson, place: number): number {
  if (said === undefined || said === null || said === "") return place;
  return typeof said === "string" ? Number(said) : (asNumber(said) ?? NaN);
}

function eventOf(call: JsonObject, index: number): ToolCallEvent {
  const custom = asObject(call["custom"]);
  const invocation = custom ?? asObject(call["function"]);
  const [id, name] = [asString(call["id"]), asString(invocation?.["name"])];
  return {
    type: "tool-call",
    index,
    ...(id !== "" && { id }),
    ...(name !== "" && { name }),
    ...argumentsOf(invocation?.[custom ? "input" : "arguments"]),
    ...fieldsOf(call, invocation, custom !== undefined),
  };
}

function argumentsOf(value: MaybeJson): { arguments?: string } {
  if (value === undefined || value === null) return {};
  return { arguments: typeof value === "string" ? value : JSON.stringify(value) };
}

/**
 * Returns the unknown members of a call and of its function, and its `type` where it isn't `function`: each delta of a
 * custom tool's call names it.
 */
function fieldsOf(
  call: JsonObject,
  invocation: JsonObject | undefined,
  isCustom: boolean,
): { fields?: JsonObject } {
  const own = otherMembers(call, CALL_MEMBERS);
  const inside = otherMembers(invocation ?? {}, isCustom ? CUSTOM_MEMBERS : FUNCTION_MEMBERS);
  const type = isCustom ? "custom" : asString(call["type"]);
  const fields: JsonObject = {
    ...own,
    ...(type !== "" && type !== "function" ? { type } : {}),
    ...(Object.keys(inside).length > 0 ? { function: inside } : {}),
  };
  return Object.keys(fields).length > 0 ? { fields } : {};
}

const CALL_MEMBERS = new Set(["index", "id", "type", "function", "custom"]);
const FUNCTION_MEMBERS = new Set(["name", "arguments"]);
const CUSTOM_MEMBERS = new Set(["name", "input"]);
