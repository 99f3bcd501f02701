import type { Json, JsonObject } from "../../contract/index.ts";
import { isNumber } from "../../contract/index.ts";
import { asArray, asNumber, asObject, asString } from "./values.ts";
import type { MaybeJson } from "./values.ts";

/** A JSON Schema as the draft of 2020-12 has it. */
export interface WellFormedSchema {
  readonly schema: JsonObject;
  /** Where the keywords stood that had to be left out, as `properties.a.required`. */
  readonly dropped: readonly string[];
}

/**
 * A JSON Schema without the mistakes and the older drafts' forms that vendors refuse a whole request for: lists of
 * `items` become `prefixItems`, a boolean `exclusiveMinimum` its number, an empty list of `properties` an object;
 * `required` keeps each name once; keywords whose value has the wrong type, such as `required: true`, are left out, and
 * what should be a schema and is none becomes `{}`. A schema without such is given back as it is. `type` is that of the
 * whole: a tool takes an object, whatever its schema says.
 */
export function wellFormedSchema(schema: JsonObject, type?: "object"): WellFormedSchema {
  const dropped: string[] = [];
  const isOther = type !== undefined && schema["type"] !== type && schema["$ref"] === undefined;
  if (isOther && schema["type"] !== undefined && asString(schema["type"]).toLowerCase() !== type)
    dropped.push("type");
  return { schema: normalize(isOther ? { ...schema, type } : schema, "", dropped), dropped };
}

/** A description with the limits that a schema had to be made without, for the model to read. */
export function describeLimits(description: MaybeJson, limits: JsonObject): string | undefined {
  const told = Object.entries(limits).map(([keyword, value]) => `${keyword}: ${JSON.stringify(value)}`);
  const said = typeof description === "string" ? description : "";
  const text = told.length > 0 ? `${said}\n\n{${told.join(", ")}}`.trim() : said;
  return text === "" ? undefined : text;
}

function normalize(schema: JsonObject, path: string, dropped: string[]): JsonObject {
  const current = upgradeKeywords(schema);
  let isSound = current === schema;
  const members: Record<string, Json> = {};
  for (const [keyword, value] of Object.entries(current)) {
    if (value === undefined) continue;
    const place = path === "" ? keyword : `${path}.${keyword}`;
    const sound = (KEYWORD_READERS.get(keyword) ?? unchanged)(value, place, dropped);
    if (sound === undefined) dropped.push(place);
    else define(members, keyword, sound);
    if (sound !== schema[keyword]) isSound = false;
  }
  return isSound ? schema : members;
}

/** What drafts before 2020-12 wrote in another way. */
function upgradeKeywords(schema: JsonObject): JsonObject {
  const { items, additionalItems, exclusiveMinimum, exclusiveMaximum } = schema;
  const isTuple = Array.isArray(items);
  const hasBooleans = typeof exclusiveMinimum === "boolean" || typeof exclusiveMaximum === "boolean";
  if (!isTuple && !hasBooleans) return schema;
  return {
    ...schema,
    ...(isTuple && { prefixItems: items, items: additionalItems, additionalItems: undefined }),
    ...upgradeBound("minimum", "exclusiveMinimum", schema),
    ...upgradeBound("maximum", "exclusiveMaximum", schema),
  };
}

function upgradeBound(inclusive: string, exclusive: string, schema: JsonObject): JsonObject {
  const { [inclusive]: bound, [exclusive]: value } = schema;
  if (typeof value !== "boolean") return { [inclusive]: bound, [exclusive]: value };
  return value
    ? { [exclusive]: bound, [inclusive]: undefined }
    : { [exclusive]: undefined, [inclusive]: bound };
}

/** The value as it must be, or undefined where it can't be had. */
type KeywordReader = (value: Json, place: string, dropped: string[]) => Json | undefined;

const KEYWORD_READERS = new Map<string, KeywordReader>([
  ...readBy(subschema, "items additionalItems additionalProperties unevaluatedItems unevaluatedProperties"),
  ...readBy(subschema, "contains propertyNames contentSchema not if then else"),
  ...readBy(subschemas, "anyOf oneOf allOf prefixItems"),
  ...readBy(namedSubschemas, "properties patternProperties dependentSchemas $defs definitions"),
  ...readBy(names, "required propertyOrdering"),
  ...readBy(types, "type"),
  ...readBy((value) => (asArray(value).length > 0 ? value : undefined), "enum"),
  ...readBy(text, "title description pattern format $ref $id $anchor $schema $comment contentEncoding"),
  ...readBy(text, "contentMediaType"),
  ...readBy(number, "minimum maximum multipleOf exclusiveMinimum exclusiveMaximum"),
  ...readBy(
    count,
    "minItems maxItems minLength maxLength minProperties maxProperties minContains maxContains",
  ),
]);

function readBy(form: KeywordReader, keywords: string): (readonly [string, KeywordReader])[] {
  return keywords.split(" ").map((keyword) => [keyword, form]);
}

function unchanged(value: Json): Json {
  return value;
}

function subschema(value: Json, place: string, dropped: string[]): Json {
  if (typeof value === "boolean") return value;
  const schema = asObject(value);
  if (schema) return normalize(schema, place, dropped);
  dropped.push(place);
  return {};
}

function subschemas(value: Json, place: string, dropped: string[]): Json | undefined {
  const list = asArray(value);
  if (list.length === 0) return undefined;
  const sound = list.map((each, index) => subschema(each, `${place}[${index}]`, dropped));
  return sound.every((each, index) => each === list[index]) ? value : sound;
}

function namedSubschemas(value: Json, place: string, dropped: string[]): Json | undefined {
  // PHP writes an object without members so.
  if (Array.isArray(value) && value.length === 0) return {};
  const schemas = asObject(value);
  if (!schemas) return undefined;
  let isSound = true;
  const members: Record<string, Json> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    if (schema === undefined) continue;
    const sound = subschema(schema, `${place}.${name}`, dropped);
    define(members, name, sound);
    if (sound !== schema) isSound = false;
  }
  return isSound ? value : members;
}

/** Texts, each once. */
function names(value: Json, place: string, dropped: string[]): Json | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = asArray(value).filter((name) => typeof name === "string");
  if (texts.length < value.length) dropped.push(place);
  const sound = [...new Set(texts)];
  return sound.length === value.length ? value : sound;
}

const TYPES = new Set(["string", "number", "integer", "boolean", "object", "array", "null"]);

/** Types in small letters: OpenAPI's own, as Google's SDKs write them, are in capitals. */
function types(value: Json): Json | undefined {
  const list = typeof value === "string" ? [value] : asArray(value);
  const sound = list.flatMap((type) =>
    typeof type === "string" && TYPES.has(type.toLowerCase()) ? [type.toLowerCase()] : [],
  );
  if (sound.length === 0) return undefined;
  if (sound.length === list.length && sound.every((type, index) => type === list[index])) return value;
  return typeof value === "string" ? sound[0] : [...new Set(sound)];
}

function text(value: Json): Json | undefined {
  return typeof value === "string" ? value : undefined;
}

function number(value: Json): Json | undefined {
  return isNumber(value) ? value : undefined;
}

function count(value: Json): Json | undefined {
  return Number.isInteger(asNumber(value)) && Number(value) >= 0 ? value : undefined;
}

/** Assignment, but a property that is called `__proto__` is one like any other. */
function define(members: Record<string, Json>, name: string, value: Json): void {
  Object.defineProperty(members, name, { value, writable: true, enumerable: true, configurable: true });
}
