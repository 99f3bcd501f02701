import type { Json, JsonObject } from "../../contract/index.ts";
import { isNumber } from "../../contract/index.ts";
import { asArray, asNumber, asObject, asString } from "./values.ts";
import type { MaybeJson } from "./values.ts";

/** A JSON Schema of draft 2020-12. */
export interface WellFormedSchema {
  readonly schema: JsonObject;
  /** The paths of keywords that were dropped, such as `properties.a.required`. */
  readonly dropped: readonly string[];
}

/**
 * Returns a JSON Schema without the mistakes and older drafts' keywords for which vendors refuse a whole request: an
 * array of `items` becomes `prefixItems`, a boolean `exclusiveMinimum` its number, an empty array of `properties` an
 * object; `required` keeps each name once; keywords whose value has the wrong type, such as `required: true`, are
 * dropped, and a subschema that is none becomes `{}`. A schema without mistakes is returned as it is. `type` sets the
 * type of the root: a tool takes an object, whatever its schema says.
 */
export function wellFormedSchema(schema: JsonObject, type?: "object"): WellFormedSchema {
  const dropped: string[] = [];
  const isOther = type !== undefined && schema["type"] !== type && schema["$ref"] === undefined;
  if (isOther && schema["type"] !== undefined && asString(schema["type"]).toLowerCase() !== type)
    dropped.push("type");
  return { schema: normalize(isOther ? { ...schema, type } : schema, "", dropped), dropped };
}

/** Returns a description with the limits that were removed from a schema appended, for the model to read. */
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
    const read = KEYWORD_READERS.get(keyword);
    const sound = read ? read(value, place, dropped) : value;
    if (sound === undefined) dropped.push(place);
    else define(members, keyword, sound);
    if (sound !== schema[keyword]) isSound = false;
  }
  return isSound ? schema : members;
}

/** Returns a schema with the keywords of drafts before 2020-12 in their current form. */
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

/** Returns the valid form of a keyword's value, or undefined if it has none. */
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
  ...readBy(
    (value) => (isNumber(value) ? value : undefined),
    "minimum maximum multipleOf exclusiveMinimum exclusiveMaximum",
  ),
  ...readBy(
    (value) => (Number.isInteger(asNumber(value)) && Number(value) >= 0 ? value : undefined),
    "minItems maxItems minLength maxLength minProperties maxProperties minContains maxContains",
  ),
]);

function readBy(form: KeywordReader, keywords: string): (readonly [string, KeywordReader])[] {
  return keywords.split(" ").map((keyword) => [keyword, form]);
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
  // PHP writes an empty object as an array.
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

/** Reads an array of distinct strings. */
function names(value: Json, place: string, dropped: string[]): Json | undefined {
  if (!Array.isArray(value)) return undefined;
  const texts = asArray(value).filter((name) => typeof name === "string");
  if (texts.length < value.length) dropped.push(place);
  const sound = [...new Set(texts)];
  return sound.length === value.length ? value : sound;
}

const TYPES = new Set(["string", "number", "integer", "boolean", "object", "array", "null"]);

/** Reads types in lower case: Google's SDKs write them in capitals. */
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

/** Assigns a property, even one called `__proto__`. */
function define(members: Record<string, Json>, name: string, value: Json): void {
  Object.defineProperty(members, name, { value, writable: true, enumerable: true, configurable: true });
}
