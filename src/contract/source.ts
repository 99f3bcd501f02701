import type { JsonObject } from "./json.ts";

const SOURCE = Symbol("source");
const RENAMED = Symbol("renamed");

/** What a body was parsed from. */
export interface Source {
  /** JSON in which `"model"` stands once, as the name of the body's own member. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether all texts in it, and names, are of ASCII. */
  readonly ascii: boolean;
}

interface Sourced {
  [SOURCE]?: Source | undefined;
  /** The body of which it is a copy. */
  [RENAMED]?: JsonObject;
}

/**
 * Keeps with a parsed body what it was parsed from. It belongs to this very object: copies of it, with whatever else
 * in them, have none.
 */
export function keepSource(body: object, source: Source): void {
  Object.defineProperty(body, SOURCE, { value: source, writable: true, configurable: true });
}

/** Says of a copy of a body that nothing but its model was changed. */
export function keepRenamed(copy: JsonObject, body: JsonObject): void {
  if (SOURCE in body) Object.defineProperty(copy, RENAMED, { value: body });
}

/** What a body was parsed from, if it is kept with it. */
export function sourceOf(body: JsonObject): Source | undefined {
  return (body as Sourced)[SOURCE];
}

/** The body of which this is a copy with another model, if it is one. */
export function renamedFrom(copy: JsonObject): JsonObject | undefined {
  return (copy as Sourced)[RENAMED];
}

/** Lets go of it. */
export function forgetSource(body: JsonObject): void {
  if (SOURCE in body) (body as Sourced)[SOURCE] = undefined;
}
