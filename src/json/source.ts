import type { Json, JsonObject } from "../contract/json.ts";
import type { WrittenObject } from "./splice.ts";
import { splice } from "./splice.ts";
import type { TopMember } from "./top-level.ts";

const SOURCE = Symbol("source");

/** What a body was parsed from, in which no name stands twice at the top. */
export interface Source extends WrittenObject {
  /** Whether all texts in it, and names, are of ASCII. */
  readonly ascii: boolean;
}

interface Kept {
  /** The object whose values are those of the source. */
  readonly body: JsonObject;
  /** Undefined once it was let go. */
  source: Source | undefined;
}

interface Sourced {
  [SOURCE]?: Kept;
}

/**
 * Keeps with a parsed body what it was parsed from. Copies made with `{...body}` know it too, so that the members that
 * they share with it can be sent as they were written.
 */
export function retainSource(body: JsonObject, source: Source): void {
  (body as Sourced)[SOURCE] = { body, source };
}

/** Says of a copy of a body that its values mean what its client wrote, though some have another form. */
export function keepMeaning<T extends JsonObject>(copy: T): T {
  const source = sourceOf(copy);
  if (source) (copy as Sourced)[SOURCE] = { body: { ...copy }, source };
  return copy;
}

/** What a body, or the one of which it is a copy, was parsed from, if it is still kept. */
export function sourceOf(body: JsonObject): Source | undefined {
  return (body as Sourced)[SOURCE]?.source;
}

/** Lets go of it, for all copies. */
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
