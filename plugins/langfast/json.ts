import { isNumber } from "modelyard/plugin";
import type { Json, JsonObject } from "modelyard/plugin";

/** Whether a value is a JSON object, not null and no list. */
export function isObject(value: unknown): value is JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return !isNumber(value);
}

/** A member that is a text and not empty. */
export function textIn(value: Json | undefined, name: string): string | undefined {
  const member = isObject(value) ? value[name] : undefined;
  return typeof member === "string" && member !== "" ? member : undefined;
}

/** A member that is a number. */
export function numberIn(value: Json | undefined, name: string): number | undefined {
  const member = isObject(value) ? value[name] : undefined;
  const number = isNumber(member) ? Number(member) : NaN;
  return Number.isFinite(number) ? number : undefined;
}
