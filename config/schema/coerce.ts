import { Kind } from "@sinclair/typebox";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { sentAs } from "../../src/contract/options.ts";
import { numberFormatOf } from "./value-types.ts";
import { changeParts, isMap, propertiesOf, variantsOf, partLocation } from "./walk.ts";
import type { Location } from "./walk.ts";

const EMPTY_IS_ABSENT = new Set(["Array", "Object", "Record", "Unknown"]);
const INTEGER = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/**
 * Returns a copy of a value in which texts that came out of an expansion have the type that the schema wants. An
 * expansion that came out empty is `false` where the schema wants true or false, and otherwise absent where the key may
 * be absent; so is a section with nothing in it. What can't be converted stays as it is, for the check to report.
 */
export function convert(schema: TSchema, value: unknown, location: Location): unknown {
  if (value === null && schema[Kind] === "Boolean") return false;
  if (typeof value === "string" && !("allOf" in schema)) {
    const text = trimSent(schema, value);
    return isExpanded(location) ? fromText(schema, text) : text;
  }
  return changeParts(schema, withoutAbsent(schema, value, location), (part, inner, step) =>
    convert(part, inner, step === undefined ? location : partLocation(location, step)),
  );
}

/**
 * Returns a copy of a value with the schema's defaults where nothing is. TypeBox's `Value.Default` won't do: it merges a
 * value into its default, so that a map passes for a list, and it skips the values of records.
 */
export function withDefaults(schema: TSchema, value: unknown): unknown {
  if (value === undefined) {
    return "default" in schema ? withDefaults(schema, structuredClone(schema.default)) : undefined;
  }
  if (numberFormatOf(schema)) return value;
  if (!isMap(value)) return changeParts(schema, value, withDefaults);
  const missing = Object.entries(propertiesOf(schema)).filter(
    ([key, part]) => !Object.hasOwn(value, key) && "default" in part,
  );
  const absent = Object.fromEntries(missing.map(([key]) => [key, undefined]));
  return changeParts(schema, { ...value, ...absent }, withDefaults);
}

/** Returns a text as it is sent, without the white space around it in a file or a variable. */
function trimSent(schema: TSchema, text: string): string {
  return sentAs(schema) ? text.trim() : text;
}

function withoutAbsent(schema: TSchema, value: unknown, location: Location): unknown {
  if (!isMap(value)) return value;
  const properties = propertiesOf(schema);
  const required = (schema["required"] ?? []) as string[];
  const isAbsent = (key: string, inner: unknown) => {
    const part = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (part === undefined || part[Kind] === "Boolean") return false;
    if (required.includes(key) && !("default" in part)) return false;
    if (inner === null) return EMPTY_IS_ABSENT.has(part[Kind]);
    return (
      typeof inner === "string" && trimSent(part, inner) === "" && isExpanded(partLocation(location, key))
    );
  };
  return Object.fromEntries(Object.entries(value).filter(([key, inner]) => !isAbsent(key, inner)));
}

function isExpanded({ document, path }: Location): boolean {
  const node = document.node(path);
  return node?.kind === "scalar" && node.expanded !== undefined;
}

function fromText(schema: TSchema, text: string): unknown {
  if (schema[Kind] === "Union") {
    const converted = [text, ...variantsOf(schema).map((variant) => fromText(variant, text))];
    return converted.find((value) => Value.Check(schema, value)) ?? text;
  }
  if (schema[Kind] === "Integer") return INTEGER.test(text) ? Number(text) : text;
  if (schema[Kind] === "Number") return NUMBER.test(text) ? Number(text) : text;
  if (schema[Kind] === "Boolean") return text === "" || text === "false" ? false : text === "true" || text;
  if (schema[Kind] === "Literal" && String(schema["const"]) === text) return schema["const"];
  return text;
}
