import type { JsonObject } from "../../../../contract/index.ts";
import type { KeptTexts } from "../../../kept-texts.ts";

/** An answer that is kept, with what it answered. */
export interface KeptResponse {
  /** The id of the answer that it goes on from. */
  readonly previous: string | null;
  /** The items of the request alone, without those of `previous`. */
  readonly input: readonly JsonObject[];
  readonly output: readonly JsonObject[];
  /** The whole object but its output. */
  readonly response: JsonObject;
}

/** The same as JSON, each on a line of its own: so one can be measured, and read, without the others. */
export interface KeptLines {
  readonly previous: string;
  readonly input: string;
  readonly output: string;
  readonly response: string;
}

/** Of an id that this gateway makes, what an answer and its items have in common. */
const STEM = /^[a-z]+_([0-9a-f]{40})[0-9a-f]{8}$/;

/** Returns what an answer, or one of its items, is kept under; undefined for an id that is not of this gateway. */
export function stemOf(id: string): string | undefined {
  return STEM.exec(id)?.[1];
}

/** Returns whether an id is an answer's, and not that of one of its items. */
export function isAnswer(id: string): boolean {
  return id.startsWith("resp_");
}

/** Returns the text under which an answer is kept. */
export function keptText({ previous, input, output, response }: KeptResponse): string {
  return [previous, input, output, response].map((part) => JSON.stringify(part)).join("\n");
}

/** Returns the lines of the answer with this id, or with an item of this id. */
export function linesAt(id: string, kept: KeptTexts | undefined): KeptLines | undefined {
  const stem = stemOf(id);
  const text = stem === undefined ? undefined : kept?.get(stem);
  if (text === undefined) return undefined;
  const [previous = "", input = "", output = "", response = ""] = text.split("\n");
  return { previous, input, output, response };
}
