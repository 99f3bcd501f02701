import { Kind } from "@sinclair/typebox";
import type { TSchema } from "@sinclair/typebox";
import { isSecret, sentAs } from "../../src/contract/options.ts";
import { numberFormatOf } from "./value-types.ts";
import { isMap, propertiesOf, variantsOf } from "./walk.ts";
import type { Location } from "./walk.ts";

const LONGEST_EXCERPT = 40;
const INVISIBLE: readonly (readonly [RegExp, string])[] = [
  [/[\r\n\u2028\u2029]/, "a line end"],
  [/\t/, "a tab"],
  [/[\u200b-\u200f\u2060\ufeff\u00ad]/, "an invisible character, such as a zero-width space"],
  [/\s/, "a blank"],
];

/** Describes what a schema expects, by its `title` if it has one. */
export function describeExpected(schema: TSchema): string {
  if (typeof schema.title === "string") return schema.title;
  const form = numberFormatOf(schema);
  if (form) return form.description;
  if (variantsOf(schema).length > 0) return joinWithOr(variantsOf(schema).map(describeExpected));
  switch (schema[Kind]) {
    case "Literal":
      return JSON.stringify(schema["const"]);
    case "String":
      return describeText(schema);
    case "Integer":
      return `a whole number${describeRange(schema)}`;
    case "Number":
      return `a number${describeRange(schema)}`;
    case "Boolean":
      return "true or false";
    case "Null":
      return "nothing";
    case "Array":
    case "Tuple":
      return `a list${describeCount(schema)}`;
    case "Object":
    case "Record":
      return describeMap(schema);
    default:
      return "something else";
  }
}

/** Describes a value, without secrets and without values from the environment. */
export function describeFound(schema: TSchema, value: unknown, location: Location): string {
  const node = location.document.node(location.path);
  const variables = node?.kind === "scalar" ? (node.expanded?.variables ?? []) : [];
  if (variables.length > 0) return `the ${value === "" ? "empty " : ""}value of ${variables.join(" and ")}`;
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (isMap(value)) return isCounted(schema) ? `a map with ${keyCount(value)}` : "a map";
  if (value === "") return "an empty text";
  if (!canShow(schema)) return typeof value === "string" ? "a text" : `a ${typeof value}`;
  // JSON has no word for .inf.
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? excerpt(value) : JSON.stringify(value);
}

/** Explains why a text can't be sent in a header as its schema wants it, without repeating the text. */
export function explainUnsendable(schema: TSchema, text: string): string | undefined {
  const sent = sentAs(schema);
  if (!sent) return undefined;
  if (/^(["'`]).*\1$/s.test(text) && text.length > 1)
    return "it has quotes around it, which would be sent, too";
  const wrong = text.replaceAll(sent === "key" ? /[!-~]+/g : /[ -~]+/g, "");
  if (wrong === "") return undefined;
  const [, name] = INVISIBLE.find(([kind]) => kind.test(wrong)) ?? [];
  return `it has ${name ?? "a character that isn't visible ASCII"} in it`;
}

/** Joins words as in `a`, `a or b`, `a, b or c`. */
export function joinWithOr(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
}

/** Returns whether a value may be repeated; in place of a section it may be anything, so a secret too. */
export function canShow(schema: TSchema): boolean {
  const variants = variantsOf(schema);
  if (numberFormatOf(schema) === undefined && variants.length > 0) return variants.every(canShow);
  return (
    !isSecret(schema) &&
    sentAs(schema) === undefined &&
    !["Array", "Tuple", "Object", "Record", "Unknown"].includes(schema[Kind])
  );
}

function excerpt(value: string): string {
  // The part of a URL before the @ is a name and a password.
  const open = value.replace(/\/\/[^/@\s]*@/g, "//…@");
  return JSON.stringify(open.length > LONGEST_EXCERPT ? `${open.slice(0, LONGEST_EXCERPT)}…` : open);
}

function describeText(schema: TSchema): string {
  if (typeof schema["pattern"] === "string") return `a text that matches ${schema["pattern"]}`;
  const { minLength = 0, maxLength } = schema as { minLength?: number; maxLength?: number };
  const most = maxLength === undefined ? "" : `at most ${maxLength} characters`;
  if (minLength === 1)
    return most === "" ? "a text that isn't empty" : `a text of 1 to ${maxLength} characters`;
  const least = minLength > 1 ? `at least ${minLength} characters` : "";
  const limits = [least, most].filter((limit) => limit !== "").join(" and ");
  return limits === "" ? "a text" : `a text of ${limits}`;
}

function describeRange(schema: TSchema): string {
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number };
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const limits = limitsOf(schema, {
    minimum: "at least",
    exclusiveMinimum: "more than",
    maximum: "at most",
    exclusiveMaximum: "less than",
    multipleOf: "a multiple of",
  });
  return limits === "" ? "" : `, ${limits}`;
}

function describeCount(schema: TSchema): string {
  const { minItems, maxItems } = schema as { minItems?: number; maxItems?: number };
  if (minItems !== undefined && minItems === maxItems) return ` of ${minItems}`;
  const limits = limitsOf(schema, { minItems: "of at least", maxItems: "of at most" });
  const unique = schema["uniqueItems"] === true ? " in which nothing is twice" : "";
  return (limits === "" ? "" : ` ${limits}`) + unique;
}

/** Returns whether the number of keys of a map is limited. */
function isCounted(schema: TSchema): boolean {
  return "minProperties" in schema || "maxProperties" in schema;
}

function keyCount(value: object): string {
  const count = Object.keys(value).length;
  return count === 0 ? "no keys" : `${count} ${count === 1 ? "key" : "keys"}`;
}

function describeMap(schema: TSchema): string {
  if (!isCounted(schema)) return "a map (key: value)";
  const { minProperties, maxProperties } = schema as { minProperties?: number; maxProperties?: number };
  const known = Object.keys(propertiesOf(schema));
  if (minProperties === 1 && maxProperties === 1 && known.length > 0) {
    return `a map with exactly one of ${known.join(", ")}`;
  }
  const limits = limitsOf(schema, { minProperties: "at least", maxProperties: "at most" });
  return `a map whose number of keys is ${limits}`;
}

function limitsOf(schema: TSchema, words: Readonly<Record<string, string>>): string {
  return Object.entries(words)
    .flatMap(([keyword, word]) => (keyword in schema ? [`${word} ${Number(schema[keyword])}`] : []))
    .join(" and ");
}
