import { Kind } from "@sinclair/typebox";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { sendable } from "./sendable.ts";
import { isMap, partOf, variantFor, variantsOf, within } from "./walk.ts";
import type { Spot } from "./walk.ts";

const EMPTY_IS_ABSENT = new Set(["Array", "Object", "Record", "Unknown"]);
const INTEGER = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/**
 * A copy of a value in which texts that came out of an expansion have the type that the schema wants. An expansion
 * that came out empty is `false` where the schema wants true or false, and otherwise absent where the key may be
 * absent; so is a section with nothing in it. What can't be converted stays as it is, for the check to report.
 */
export function convert(schema: TSchema, value: unknown, spot: Spot): unknown {
  if (Array.isArray(schema["allOf"])) {
    return (schema["allOf"] as TSchema[]).reduce((part, inner) => convert(inner, part, spot), value);
  }
  if (Array.isArray(value) || isMap(value)) {
    const variant = variantsOf(schema).length > 0 ? variantFor(schema, value) : schema;
    return variant === undefined ? value : convertParts(variant, value, spot);
  }
  if (value === null && schema[Kind] === "Boolean") return false;
  if (typeof value !== "string") return value;
  const text = sendable(schema, value);
  return isExpanded(spot) ? fromText(schema, text) : text;
}

function convertParts(schema: TSchema, value: unknown[] | Record<string, unknown>, spot: Spot): unknown {
  const part = (step: string | number, inner: unknown) => {
    const innerSchema = partOf(schema, step);
    return innerSchema ? convert(innerSchema, inner, within(spot, step)) : inner;
  };
  if (Array.isArray(value)) return value.map((item, index) => part(index, item));
  const kept = Object.entries(value).filter(([key, inner]) => !isAbsent(schema, inner, within(spot, key)));
  return Object.fromEntries(kept.map(([key, inner]) => [key, part(key, inner)]));
}

function isAbsent(schema: TSchema, value: unknown, spot: Spot): boolean {
  const key = String(spot.path.at(-1));
  const properties = (schema["properties"] ?? {}) as Record<string, TSchema>;
  const part = Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (part === undefined) return false;
  const required = ((schema["required"] ?? []) as string[]).includes(key) && !("default" in part);
  if (required || part[Kind] === "Boolean") return false;
  return value === null
    ? EMPTY_IS_ABSENT.has(part[Kind])
    : isExpanded(spot) && typeof value === "string" && sendable(part, value) === "";
}

function isExpanded(spot: Spot): boolean {
  const node = spot.document.node(spot.path);
  return node?.kind === "scalar" && node.expanded !== undefined;
}

function fromText(schema: TSchema, text: string): unknown {
  if (schema[Kind] === "Union") return Value.Check(schema, text) ? text : fromAlternatives(schema, text);
  if (schema[Kind] === "Integer") return INTEGER.test(text) ? Number(text) : text;
  if (schema[Kind] === "Number") return NUMBER.test(text) ? Number(text) : text;
  if (schema[Kind] === "Boolean") return text === "" || text === "false" ? false : text === "true" || text;
  if (schema[Kind] === "Literal" && String(schema["const"]) === text) return schema["const"];
  return text;
}

function fromAlternatives(schema: TSchema, text: string): unknown {
  const converted = variantsOf(schema).map((variant) => fromText(variant, text));
  return converted.find((value) => Value.Check(schema, value)) ?? text;
}
