import { asString } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/** Returns the word with which an upstream ends an answer; empty for what only says that there is none yet. */
export function readFinishReason(said: MaybeJson): string {
  const word = asString(said);
  return /^(null|none)$/i.test(word) ? "" : word;
}
