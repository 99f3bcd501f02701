import type { Json } from "../contract/index.ts";
import { isNumber } from "../contract/index.ts";
import type { RequestMembers } from "../json/request-members.ts";

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
export function asksForNothing(request: RequestMembers, name: string): boolean {
  const value = request.member(name);
  if (value === undefined) return false;
  if (name === "parallel_tool_calls" && isEmpty(request.member("tools"))) return true;
  return isEmpty(value) || value === DEFAULTS.get(name);
}

function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && !isNumber(value) && Object.keys(value).length === 0;
}
