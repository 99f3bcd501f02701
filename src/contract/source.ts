import type { JsonObject } from "./json.ts";

const SOURCE = Symbol("source");

interface Sourced {
  [SOURCE]?: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * Keeps with a parsed body the bytes it was parsed from. They belong to this very object: copies of it, with whatever
 * else in them, have none.
 */
export function keepSource(body: object, bytes: Uint8Array<ArrayBuffer>): void {
  Object.defineProperty(body, SOURCE, { value: bytes, writable: true, configurable: true });
}

/** The bytes from which a body was parsed, if they are kept with it. */
export function sourceOf(body: JsonObject): Uint8Array<ArrayBuffer> | undefined {
  return (body as Sourced)[SOURCE];
}

/** Lets go of them. */
export function forgetSource(body: JsonObject): void {
  if (SOURCE in body) (body as Sourced)[SOURCE] = undefined;
}
