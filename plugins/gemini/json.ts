import { isNumber } from "modelyard/plugin";
import type { Json, JsonObject } from "modelyard/plugin";

/** What stands at one place of a JSON value, or nothing. */
export type MaybeJson = Json | undefined;

/** Whether a value is a JSON object, not null and no list. */
export function isObject(value: MaybeJson): value is JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return !isNumber(value);
}

/** A member of a value that is an object. */
export function member(value: MaybeJson, name: string): MaybeJson {
  return isObject(value) ? value[name] : undefined;
}

/** The elements of a list; none of anything else. */
export function asArray(value: MaybeJson): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** A member that is a text; else the empty one. */
export function textIn(value: MaybeJson, name: string): string {
  const text = member(value, name);
  return typeof text === "string" ? text : "";
}

/** A member that is a number. */
export function numberIn(value: MaybeJson, name: string): number | undefined {
  const number = member(value, name);
  const nearest = isNumber(number) ? Number(number) : NaN;
  return Number.isFinite(nearest) ? nearest : undefined;
}

/** Whether a member of a request says nothing: absent, null or an empty list. */
export function isAbsent(value: MaybeJson): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}
