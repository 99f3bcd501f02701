import type { JsonObject } from "../../contract/index.ts";
import { asObject, parseAsWritten } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/** What a client says the arguments of a tool call were. */
export interface ToolArguments {
  readonly value: JsonObject;
  /** They were no JSON object, and can't be given as one: `value` has their text as `_invalid`. */
  readonly isInvalid: boolean;
}

/**
 * Reads the `arguments` of a tool call in the history, for an upstream that takes a JSON object. Nothing, `null`, an
 * empty text and an empty list are `{}`, and an object that was encoded twice is read twice. A client can't mend what
 * the model wrote, so a text that was cut off is kept as `{"_invalid": "<text>"}`, which the model can read.
 */
export function readToolArguments(given: MaybeJson): ToolArguments {
  const text = typeof given === "string" ? given : JSON.stringify(given ?? {});
  const value = objectIn(text, true);
  return value ? { value, isInvalid: false } : { value: { _invalid: text }, isInvalid: true };
}

function objectIn(text: string, mayBeEncodedTwice: boolean): JsonObject | undefined {
  if (text.trim() === "") return {};
  const value = parseAsWritten(text);
  if (typeof value === "string" && mayBeEncodedTwice) return objectIn(value, false);
  const isEmpty = value === null || (Array.isArray(value) && value.length === 0);
  return isEmpty ? {} : asObject(value);
}
