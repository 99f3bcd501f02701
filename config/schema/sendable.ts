import type { TSchema } from "@sinclair/typebox";
import { sentAs } from "../../src/contract/options.ts";

const NAMED: readonly (readonly [RegExp, string])[] = [
  [/[\r\n\u2028\u2029]/, "a line end"],
  [/\t/, "a tab"],
  [/[\u200b-\u200f\u2060\ufeff\u00ad]/, "an invisible character, such as a zero-width space"],
  [/\s/, "a blank"],
];

/** A text as it is sent: what stands around it in a file or a variable is none of it. */
export function sendable(schema: TSchema, text: string): string {
  return sentAs(schema) ? text.trim() : text;
}

/** Why a text can't be sent in a header as its schema wants it, in words that don't give it away. */
export function whyUnsendable(schema: TSchema, text: string): string | undefined {
  const sent = sentAs(schema);
  if (!sent) return undefined;
  if (/^(["'`]).*\1$/s.test(text) && text.length > 1)
    return "it has quotes around it, which would be sent, too";
  const wrong = text.replaceAll(sent === "key" ? /[!-~]+/g : /[ -~]+/g, "");
  if (wrong === "") return undefined;
  const [, name] = NAMED.find(([kind]) => kind.test(wrong)) ?? [];
  return `it has ${name ?? "a character that isn't visible ASCII"} in it`;
}
