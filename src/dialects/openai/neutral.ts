import type { Json, JsonObject } from "../../contract/index.ts";
import { isNumber } from "../../contract/index.ts";

/** The values with which fields ask for what OpenAI does anyway. */
const DEFAULTS: ReadonlyMap<string, Json> = new Map<string, Json>([
  ["store", false],
  ["logprobs", false],
  ["top_logprobs", 0],
  ["n", 1],
  ["presence_penalty", 0],
  ["frequency_penalty", 0],
]);

/** Whether a request gives a field, but with a value that asks for nothing: then no upstream ignores anything. */
export function asksForNothing(request: JsonObject, name: string): boolean {
  if (!Object.hasOwn(request, name)) return false;
  if (name === "parallel_tool_calls" && isEmpty(request["tools"])) return true;
  return isEmpty(request[name]) || request[name] === DEFAULTS.get(name);
}

function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && !isNumber(value) && Object.keys(value).length === 0;
}
