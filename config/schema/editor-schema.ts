import type { TSchema } from "@sinclair/typebox";
import { variantsOf } from "./walk.ts";

/** What an editor must also take where not just any text is wanted. */
const EXPANSION = { type: "string", pattern: "\\$\\{" };
/** Keywords of our own, and those that hold schemas and are copied one by one. */
const NOT_COPIED = /^(x-modelyard-.*|properties|patternProperties|items|anyOf|required)$/;

/**
 * The JSON Schema (draft 7) by which editors check and complete gateway.yaml. As the check itself does, it takes
 * `${…}` wherever a number, a choice or a text of a certain form is wanted, and sections with nothing in them.
 */
export function editorSchema(schema: TSchema): Record<string, unknown> {
  const head = { $schema: "http://json-schema.org/draft-07/schema#", title: "gateway.yaml of Modelyard" };
  return { ...head, ...forEditor(schema) };
}

function forEditor(schema: TSchema): Record<string, unknown> {
  const words = variantsOf(schema).map((variant) => variant["const"] as unknown);
  if (words.length > 0 && !words.includes(undefined)) return withExpansion({ ...own(schema), enum: words });
  const copy = { ...own(schema), ...parts(schema) };
  if (schema["type"] === "object" || schema["type"] === "array") {
    return "default" in schema ? { ...copy, type: [schema["type"], "null"] } : copy;
  }
  const takesExpansion = schema["type"] === undefined || (schema["type"] === "string" && !schema["pattern"]);
  return takesExpansion ? copy : withExpansion(copy);
}

function own(schema: TSchema): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !NOT_COPIED.test(keyword)));
}

function parts(schema: TSchema): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const keyword of ["properties", "patternProperties"]) {
    if (schema[keyword] === undefined) continue;
    const inner = Object.entries(schema[keyword] as Record<string, TSchema>);
    copy[keyword] = Object.fromEntries(inner.map(([name, part]) => [name, forEditor(part)]));
  }
  if (schema["items"] !== undefined) copy["items"] = forEditor(schema["items"]);
  if (variantsOf(schema).length > 0) copy["anyOf"] = variantsOf(schema).map(forEditor);
  const required = requiredOf(schema);
  return required.length > 0 ? { ...copy, required } : copy;
}

/** The keys that must be written: what has a default need not be. */
export function requiredOf(schema: TSchema): string[] {
  const properties = (schema["properties"] ?? {}) as Record<string, TSchema>;
  return ((schema["required"] ?? []) as string[]).filter((name) => !("default" in (properties[name] ?? {})));
}

function withExpansion({ description, ...rest }: Record<string, unknown>): Record<string, unknown> {
  const { default: value, ...inner } = rest;
  const outside = {
    ...(description !== undefined && { description }),
    ...(value !== undefined && { default: value }),
  };
  return { ...outside, anyOf: [inner, EXPANSION] };
}
