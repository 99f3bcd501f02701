import {
  asArray,
  asObject,
  asObjects,
  asString,
  describeLimits,
  isAbsent,
  wellFormedSchema,
} from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import type { Traits } from "../traits.ts";

interface SchemaContext {
  /** The schema's path in the request, such as `tools[].function.parameters`. */
  readonly place: string;
  /** The type that the schema must have. */
  readonly type?: "object";
  readonly call: Pick<Call, "ignored">;
}

/** Returns a well-formed schema, as the API rejects any other; reports omitted keywords. */
export function validSchema(schema: JsonObject, { place, type, call }: SchemaContext): JsonObject {
  const { schema: sound, dropped } = wellFormedSchema(schema, type);
  for (const path of dropped)
    call.ignored(`${place}.${path}`, "it is no JSON Schema, and the API refuses it");
  return sound;
}

/**
 * Removes `anyOf`, `oneOf` and `allOf` at the top of a tool's schema, where the API rejects them: their properties are
 * merged into the tool's, and the description states the rest.
 */
export function flattenTopLevelChoices(schema: JsonObject, { place, call }: SchemaContext): JsonObject {
  const { anyOf, oneOf, allOf, ...rest } = schema;
  const choices = Object.entries({ anyOf, oneOf, allOf }).filter(([, value]) => value !== undefined);
  if (choices.length === 0) return schema;
  for (const [keyword] of choices)
    call.ignored(`${place}.${keyword}`, "the API refuses it at the top of a schema");
  const branches = choices.flatMap(([, value]) => asObjects(value));
  const properties = [...branches, rest].map((branch) => asObject(branch["properties"]) ?? {});
  const required = [rest, ...asObjects(allOf)].flatMap((branch) => asArray(branch["required"]));
  const description = describeLimits(rest["description"], Object.fromEntries(choices));
  return {
    ...rest,
    properties: Object.assign({}, ...properties) as JsonObject,
    ...(required.length > 0 && { required: [...new Set(required)] }),
    ...(description !== undefined && { description }),
  };
}

/** A JSON schema for structured outputs, and the keywords that were dropped. */
export interface StrictSchema {
  readonly schema: JsonObject;
  readonly dropped: ReadonlySet<string>;
}

/**
 * Converts a schema to the subset that structured outputs support: objects are closed, `oneOf` becomes `anyOf`, and
 * what can't be enforced moves to the description, as in Anthropic's own SDKs.
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
 */
export function toStrictSchema(schema: JsonObject): StrictSchema {
  const dropped = new Set<string>();
  return { schema: convert(schema, dropped), dropped };
}

const KEPT_KEYWORDS = new Set(["$ref", "type", "enum", "const", "title", "default", "$schema"]);
const NESTED_IN_LISTS = new Map([
  ["anyOf", "anyOf"],
  ["oneOf", "anyOf"],
  ["allOf", "allOf"],
]);
const NESTED_BY_NAME = new Set(["properties", "$defs", "definitions"]);
const FORMATS = new Set("date-time time date duration email hostname uri ipv4 ipv6 uuid".split(" "));

function convert(schema: JsonObject, dropped: Set<string>): JsonObject {
  const result: Record<string, Json> = {};
  const limits: Record<string, Json> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (value === undefined || keyword === "description") continue;
    const nested = nestedIn(keyword, value, dropped);
    if (nested) result[nested[0]] = nested[1];
    else if (KEPT_KEYWORDS.has(keyword) || isSupportedLimit(keyword, value)) result[keyword] = value;
    else if (keyword !== "additionalProperties" && keyword !== "required") {
      limits[keyword] = value;
      dropped.add(keyword);
    }
  }
  const required = asArray(schema["required"]);
  const defined = required.filter((name) =>
    Object.hasOwn(asObject(schema["properties"]) ?? {}, asString(name)),
  );
  // A closed object can't have properties that aren't defined.
  if (defined.length < required.length) dropped.add("required");
  if (defined.length > 0) result["required"] = defined;
  if (isObjectType(schema)) {
    result["additionalProperties"] = false;
    if (!isClosed(schema)) dropped.add("additionalProperties");
  }
  const description = describeLimits(schema["description"], limits);
  return description === undefined ? result : { ...result, description };
}

function nestedIn(keyword: string, value: Json, dropped: Set<string>): readonly [string, Json] | undefined {
  const list = NESTED_IN_LISTS.get(keyword);
  if (list !== undefined) return [list, asArray(value).map((each) => convertNested(each, dropped))];
  if (keyword === "items") return [keyword, convertNested(value, dropped)];
  if (!NESTED_BY_NAME.has(keyword)) return undefined;
  const members = Object.entries(asObject(value) ?? {});
  return [keyword, Object.fromEntries(members.map(([name, each]) => [name, convertNested(each, dropped)]))];
}

function convertNested(value: Json | undefined, dropped: Set<string>): Json {
  const schema = asObject(value);
  return schema ? convert(schema, dropped) : (value ?? {});
}

function isSupportedLimit(keyword: string, value: Json): boolean {
  if (keyword === "format") return typeof value === "string" && FORMATS.has(value);
  return keyword === "minItems" && (value === 0 || value === 1);
}

function isObjectType({ type, properties }: JsonObject): boolean {
  const types = typeof type === "string" ? [type] : asArray(type);
  return types.includes("object") || properties !== undefined;
}

/** Returns whether an object schema allows no other properties; without a statement it was open. */
function isClosed({ additionalProperties, properties }: JsonObject): boolean {
  return additionalProperties === false || (isAbsent(additionalProperties) && properties !== undefined);
}

/**
 * Maps `response_format` to `output_config.format`, which guarantees the schema. Throws `unsupported` for models
 * without structured outputs and for `json_object`, which has no counterpart: a forced tool in its place would rule
 * out thinking and other tools. Reports keywords that can't be enforced.
 */
export function formatOf(
  request: ChatRequest,
  traits: Traits,
  call: Pick<Call, "ignored">,
): JsonObject | undefined {
  const format = asObject(request["response_format"]);
  const type = asString(format?.["type"]);
  if (isAbsent(request["response_format"]) || type === "text") return undefined;
  if (type === "json_object") throw unsupported("knows no JSON without a schema", "response_format");
  const schema = asObject(asObject(format?.["json_schema"])?.["schema"]);
  if (type !== "json_schema") throw unsupported("knows no such format", "response_format");
  if (!schema) throw badRequest("response_format json_schema needs a schema", "response_format");
  if (traits.structured === false)
    throw unsupported("takes no JSON schema for this model", "response_format");
  const place = "response_format.json_schema.schema";
  const { schema: fitted, dropped } = toStrictSchema(validSchema(schema, { place, call }));
  reportDropped(dropped, place, call);
  return { type: "json_schema", schema: fitted };
}

/** Reports the keywords that were dropped from a schema. */
export function reportDropped(
  dropped: ReadonlySet<string>,
  place: string,
  call: Pick<Call, "ignored">,
): void {
  for (const keyword of dropped) {
    call.ignored(
      `${place}.${keyword}`,
      "structured outputs can't enforce it; the description tells the model",
    );
  }
}
