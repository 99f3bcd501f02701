import { textOf } from "./json.ts";
import type { Said } from "./json.ts";

/** Returns the word with which an upstream ends an answer; empty for what only says that there is none yet. */
export function reasonOf(said: Said): string {
  const word = textOf(said);
  return /^(null|none)$/i.test(word) ? "" : word;
}
