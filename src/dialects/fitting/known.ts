import type { Call, Json, JsonObject } from "../../contract/index.ts";

/** What an upstream knows beyond chat completions, and how it is said what it doesn't. */
export interface Known {
  readonly extensions: ReadonlySet<string>;
  readonly call: Pick<Call, "ignored">;
}

/** Members without which the answer is the same, or has the same words. */
const SILENT = new Set(["cache_control", "thinking", "defer_loading", "eager_input_streaming"]);

/** Says that a member of a request was left out, at its place, if it asked for anything. */
export function leaveOut(path: string, { call }: Pick<Known, "call">): void {
  const name = path.slice(path.lastIndexOf(".") + 1);
  if (!SILENT.has(name)) call.ignored(path, "chat completions have no such member");
}

/** Returns an object without the members that an upstream doesn't know. `own` are those of chat completions. */
export function knownMembers(
  members: JsonObject,
  { own, place }: { readonly own: ReadonlySet<string>; readonly place: string },
  known: Known,
): JsonObject {
  const kept: Record<string, Json | undefined> = {};
  for (const name of Object.keys(members)) {
    if (own.has(name) || known.extensions.has(name)) kept[name] = members[name];
    else leaveOut(`${place}.${name}`, known);
  }
  return kept;
}
