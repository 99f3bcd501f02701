import { Kind } from "@sinclair/typebox";
import type { TSchema } from "@sinclair/typebox";
import { Value, ValueErrorType } from "@sinclair/typebox/value";
import type { ValueError } from "@sinclair/typebox/value";
import type { ConfigNode } from "../document/document.ts";
import { numberFormatOf } from "./value-types.ts";
import { nearestName } from "../nearest.ts";
import type { Problem } from "../problem.ts";
import { isMap, propertiesOf, matchVariant, variantsOf, partLocation } from "./walk.ts";
import type { Location } from "./walk.ts";
import { describeExpected, describeFound, canShow } from "./describe.ts";

/** Returns the problems of a value under a schema, one for each path. */
export function diagnose(schema: TSchema, value: unknown, location: Location): Problem[] {
  const seen = new Set<string>();
  const problems: Problem[] = [];
  for (const error of Value.Errors(schema, value)) {
    if (seen.has(error.path)) continue;
    // An intersection's own error follows those of its parts.
    if (error.type === ValueErrorType.Intersect) continue;
    seen.add(error.path);
    problems.push(...diagnoseOne(error, value, location));
  }
  return problems;
}

function diagnoseOne(error: ValueError, whole: unknown, top: Location): Problem[] {
  const location = locate(error.path, whole, top);
  if (isUnknownKey(error)) return unknownKeys(error, whole, { top, location });
  if (location.document.isInvalid(location.path)) return [];
  if (error.value === undefined) {
    const position = location.document.keyPosition(location.path.slice(0, -1));
    return [
      location.document.problem(location.path, {
        message: `missing; expected ${describeExpected(error.schema)}`,
        position,
      }),
    ];
  }
  const variant = variantsOf(error.schema).length > 0 ? matchVariant(error.schema, error.value) : undefined;
  if (variant) return diagnose(variant, error.value, location);
  return [mismatch(error.schema, error.value, location)];
}

/** Makes the problem of a value that its schema doesn't allow. */
export function mismatch(schema: TSchema, value: unknown, location: Location): Problem {
  const message = `expected ${describeExpected(schema)}, found ${describeFound(schema, value, location)}`;
  return location.document.problem(location.path, { message, hint: hintFor(schema, value, location) });
}

function isUnknownKey(error: ValueError): boolean {
  return (
    error.type === ValueErrorType.ObjectAdditionalProperties ||
    error.type === ValueErrorType.IntersectUnevaluatedProperties
  );
}

function unknownKeys(
  error: ValueError,
  whole: unknown,
  at: { top: Location; location: Location },
): Problem[] {
  const { document, path } = at.location;
  const [pattern] = Object.keys((error.schema["patternProperties"] ?? {}) as Record<string, TSchema>);
  if (pattern === undefined) {
    const name = String(path.at(-1));
    return [
      document.problem(path, {
        message: describeUnknownKey(name, error.schema),
        position: document.keyPosition(path),
      }),
    ];
  }
  // Of a record's names TypeBox reports only the first.
  const parent = error.path.slice(0, error.path.lastIndexOf("/"));
  const map =
    parent === "" ? whole : valueAt(whole, locate(parent, whole, at.top).path.slice(at.top.path.length));
  const names = isMap(map) ? Object.keys(map).filter((name) => !new RegExp(pattern).test(name)) : [];
  const rule = error.schema["propertyNames"]?.description ?? `a text that matches ${pattern}`;
  return names.map((name) => {
    const key = [...path.slice(0, -1), name];
    const message = `not a name that can be used here; expected ${rule}`;
    return document.problem(key, { message, position: document.keyPosition(key) });
  });
}

function describeUnknownKey(name: string, schema: TSchema): string {
  const parts = (schema["allOf"] as TSchema[] | undefined) ?? [schema];
  const known = parts.flatMap((part) => Object.keys(propertiesOf(part)));
  if (name.includes(":")) return "unknown key; a space is missing after the colon";
  const meant = nearestName(name, known);
  if (meant !== undefined) return `unknown key; did you mean "${meant}"?`;
  return known.length === 0
    ? "unknown key; none is known here"
    : `unknown key; known here: ${known.join(", ")}`;
}

function hintFor(schema: TSchema, value: unknown, location: Location): string | undefined {
  const node = location.document.node(location.path);
  if (node?.kind === "scalar" && node.expanded && node.expanded.variables.length === 0) {
    return `it comes from ${canShow(schema) ? node.expanded.source : "the expansion"}`;
  }
  const form = numberFormatOf(schema);
  if (form) return form.hint;
  if (value === null) return "give it a value, or remove the line";
  if (schema[Kind] === "Array" && !Array.isArray(value))
    return "write a list: [a, b], or one line for each, beginning with -";
  if (typeof value === "string") return textHint(schema, value, node);
  const wantsText = [schema, ...variantsOf(schema)].some((variant) => variant[Kind] === "String");
  return wantsText && typeof value !== "object" ? "put it in quotes" : undefined;
}

function textHint(schema: TSchema, value: string, node: ConfigNode | undefined): string | undefined {
  const kind: unknown = schema[Kind];
  const numeric =
    (kind === "Integer" || kind === "Number") && value.trim() !== "" && !Number.isNaN(Number(value));
  const quoted = node?.kind === "scalar" && node.quoted;
  if (quoted && (numeric || (kind === "Boolean" && /^(true|false)$/.test(value)))) return "remove the quotes";
  if (kind === "Boolean" && /^(yes|no|on|off)$/i.test(value)) return "YAML 1.2 knows only true and false";
  const words = variantsOf(schema).flatMap((variant) =>
    typeof variant["const"] === "string" ? [variant["const"]] : [],
  );
  const meant = nearestName(value, words);
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

/** Returns the location of a JSON pointer (RFC 6901) into `whole`. */
function locate(pointer: string, whole: unknown, top: Location): Location {
  let [location, value] = [top, whole];
  for (const escaped of pointer.split("/").slice(1)) {
    const name = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
    const step = Array.isArray(value) ? Number(name) : name;
    location = partLocation(location, step);
    value = valueAt(value, [step]);
  }
  return location;
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((whole, step) => {
    if (Array.isArray(whole)) return whole[Number(step)];
    return isMap(whole) && Object.hasOwn(whole, step) ? whole[step] : undefined;
  }, value);
}
