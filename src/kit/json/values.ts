import type { Json, JsonObject } from "../../contract/index.ts";
import { isNumber } from "../../contract/index.ts";
import { isObject } from "../../contract/json.ts";

/** A value at one place of somebody else's JSON, or undefined where nothing stands there. */
export type MaybeJson = Json | undefined;

/** Returns the value if it is a JSON object, else undefined. */
export function asObject(value: MaybeJson): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

/** Returns the value if it is an array, else an empty array. */
export function asArray(value: MaybeJson): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Returns the objects in the value if it is an array, else an empty array. */
export function asObjects(value: MaybeJson): readonly JsonObject[] {
  return asArray(value).filter(isObject);
}

/** Returns the value if it is a string, else the empty string. */
export function asString(value: MaybeJson): string {
  return typeof value === "string" ? value : "";
}

/** Returns the value if it is a number, else undefined; of a `LosslessNumber` the nearest, if that is finite. */
export function asNumber(value: MaybeJson): number | undefined {
  const number = isNumber(value) ? Number(value) : NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** Returns a member of a value that is a JSON object, else undefined. */
export function member(value: MaybeJson, name: string): MaybeJson {
  return isObject(value) ? value[name] : undefined;
}

/** Returns whether a request's member says nothing: it is absent, null, or an empty array. */
export function isAbsent(value: MaybeJson): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

/** Returns the members of an object that are not in `known` and not null. */
export function otherMembers(members: JsonObject, known: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter(([name, value]) => !known.has(name) && value !== null),
  );
}

/** Returns an object without a prototype, so that a member called `__proto__` is like any other. */
export function emptyObject(): Record<string, MaybeJson> {
  return Object.create(null) as Record<string, MaybeJson>;
}

/** Returns a text on one line, for an error's message. The gateway removes secrets from it and then cuts it. */
export function singleLine(text: string): string {
  return text.slice(0, MAX_LINE).toWellFormed().replaceAll(/\s+/g, " ").trim();
}

const MAX_LINE = 16 * 1024;
