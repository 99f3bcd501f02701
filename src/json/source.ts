import type { Json, JsonObject } from "../contract/json.ts";
import type { WrittenObject } from "./splice.ts";
import { splice } from "./splice.ts";
import type { TopMember } from "./top-level.ts";

const SOURCE = Symbol("source");

/** The text that a body was parsed from, in which no top-level name occurs twice. */
export interface Source extends WrittenObject {
  /** True if all its strings and names are ASCII. */
  readonly ascii: boolean;
}

interface Kept {
  /** The object whose values are those of the source. */
  readonly body: JsonObject;
  /** Undefined once it was released. */
  source: Source | undefined;
}

interface Sourced {
  [SOURCE]?: Kept;
}

/**
 * Retains the source of a parsed body. Copies made with `{...body}` have it, too, so that the members that they share
 * with it are sent as they were written.
 */
export function retainSource(body: JsonObject, source: Source): void {
  (body as Sourced)[SOURCE] = { body, source };
}

/** Marks a copy of a body whose values mean what its client wrote, though some have another form. */
export function keepMeaning<T extends JsonObject>(copy: T): T {
  const source = sourceOf(copy);
  if (source) (copy as Sourced)[SOURCE] = { body: { ...copy }, source };
  return copy;
}

/** Returns the source of a body, or of the one that it is a copy of, while it is retained. */
export function sourceOf(body: JsonObject): Source | undefined {
  return (body as Sourced)[SOURCE]?.source;
}

/** Releases the source, for all copies. */
export function forgetSource(body: JsonObject): void {
  const kept = (body as Sourced)[SOURCE];
  if (kept) kept.source = undefined;
}

/**
 * A body as its client wrote it, if that is still kept. What a copy has changed, left out or added at the top is so there
 * as well, and all else stays as it is: long numbers, escapes, blanks and the order of members.
 */
export function originalBody(copy: JsonObject): Uint8Array<ArrayBuffer> | undefined {
  const { body, source } = (copy as Sourced)[SOURCE] ?? {};
  if (!body || !source || body === copy) return source?.bytes;
  const edits = new Map<TopMember, Json | undefined>();
  for (const member of source.members) {
    const value = valueIn(copy, member.name);
    if (value !== body[member.name] || value === undefined) edits.set(member, value);
  }
  const added: [string, Json][] = [];
  for (const name of Object.keys(copy)) {
    const value = copy[name];
    if (value === undefined || source.members.some((member) => member.name === name)) continue;
    added.push([name, value]);
  }
  return splice(source, edits, added);
}

/** Never one that all objects have. */
function valueIn(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
