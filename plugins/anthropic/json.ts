import { isNumber } from "modelyard/plugin";
import type { Json, JsonObject } from "modelyard/plugin";

/** What stands at one place of somebody's JSON: a value, or nothing. */
export type MaybeJson = Json | undefined;

/** The value if it is an object. */
export function asObject(value: MaybeJson): JsonObject | undefined {
  const isObject = typeof value === "object" && value !== null && !isList(value);
  return isObject && !isNumber(value) ? value : undefined;
}

/** The value if it is a list; else an empty list. */
export function asArray(value: MaybeJson): readonly Json[] {
  return isList(value) ? value : [];
}

/** The objects of a list; else an empty list. */
export function objectsOf(value: MaybeJson): readonly JsonObject[] {
  return asArray(value).flatMap((each) => {
    const members = asObject(each);
    return members ? [members] : [];
  });
}

/** The value if it is a string; else the empty string. */
export function asString(value: MaybeJson): string {
  return typeof value === "string" ? value : "";
}

/** The value if it is a number. */
export function asNumber(value: MaybeJson): number | undefined {
  return isNumber(value) ? Number(value) : undefined;
}

/** Whether a value says nothing: it is absent, null, or an empty list. */
export function isAbsent(value: MaybeJson): boolean {
  return value === undefined || value === null || (isList(value) && value.length === 0);
}

/** An object without these members, and without those that are null. */
export function otherMembers(members: JsonObject, names: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter(([name, value]) => !names.has(name) && value !== null),
  );
}

function isList(value: MaybeJson): value is readonly Json[] {
  return Array.isArray(value);
}
