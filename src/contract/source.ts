import type { JsonObject } from "./json.ts";

const SOURCE = Symbol("source");

/** What a body was parsed from. */
export interface Source {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether all texts in it, and names, are of ASCII. */
  readonly ascii: boolean;
}

interface Sourced {
  [SOURCE]?: Source | undefined;
}

/**
 * Keeps with a parsed body what it was parsed from. It belongs to this very object: copies of it, with whatever else
 * in them, have none.
 */
export function keepSource(body: object, source: Source): void {
  Object.defineProperty(body, SOURCE, { value: source, writable: true, configurable: true });
}

/** What a body was parsed from, if it is kept with it. */
export function sourceOf(body: JsonObject): Source | undefined {
  return (body as Sourced)[SOURCE];
}

/** Lets go of it. */
export function forgetSource(body: JsonObject): void {
  if (SOURCE in body) (body as Sourced)[SOURCE] = undefined;
}
