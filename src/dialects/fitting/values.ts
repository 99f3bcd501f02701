import type { Json, JsonObject } from "../../contract/index.ts";
import { isObject } from "../../contract/json.ts";
import { GatewayError } from "../../errors/gateway-error.ts";

/** A value of a client's body, or undefined where there is none. */
export type Given = Json | undefined;

/** Returns the text at a path of the body. Throws a GatewayError if there is none. */
export function textAt(value: Given, path: string): string {
  if (typeof value === "string") return value;
  throw invalid(path, "expected a string");
}

/** Returns the object at a path of the body. Throws a GatewayError if there is none. */
export function objectAt(value: Given, path: string): JsonObject {
  if (isObject(value)) return value;
  throw invalid(path, "expected an object");
}

/** Returns a text, or an empty one where there is none. */
export function textIn(value: Given): string {
  return typeof value === "string" ? value : "";
}

/** Returns the objects of a list that was checked, or of none. */
export function listOf(value: Given): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Returns the error for a member whose value can't be meant. */
export function invalid(path: string, what: string): GatewayError {
  return new GatewayError("invalid_value", `${path}: ${what}`, { param: path });
}

/** Returns those members of an object that it has, and that are not null. */
export function picked(members: JsonObject, names: readonly string[]): JsonObject {
  const found: Record<string, Given> = {};
  for (const name of names) {
    const value = members[name];
    if (value !== undefined && value !== null) found[name] = value;
  }
  return found;
}

/** Returns the members of an object that are not among these, and not null. */
export function others(members: JsonObject, names: ReadonlySet<string>): JsonObject {
  const found: Record<string, Given> = {};
  for (const name of Object.keys(members)) {
    const value = members[name];
    if (!names.has(name) && value !== undefined && value !== null) found[name] = value;
  }
  return found;
}
