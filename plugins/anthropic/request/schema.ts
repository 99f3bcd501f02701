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

interface SchemaPlace {
  /** As `tools[].function.parameters`. */
  readonly place: string;
  /** What the whole must be. */
  readonly type?: "object";
  readonly call: Pick<Call, "ignored">;
}

/** A schema that is well-formed, as the API refuses the request for any other; names what had to be left out. */
export function soundSchema(schema: JsonObject, { place, type, call }: SchemaPlace): JsonObject {
  const { schema: sound, dropped } = wellFormedSchema(schema, type);
  for (const path of dropped)
    call.ignored(`${place}.${path}`, "it is no JSON Schema, and the API refuses it");
  return sound;
}

/**
 * The schema of a tool without `anyOf`, `oneOf` and `allOf` at its top, where the API refuses them: their properties
 * become the tool's own, and the description tells the rest.
 */
export function withoutTopChoices(schema: JsonObject, { place, call }: SchemaPlace): JsonObject {
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

/** A JSON schema as structured outputs take it, and the names of what it had to be made without. */
export interface FittedSchema {
  readonly schema: JsonObject;
  readonly dropped: ReadonlySet<string>;
}

/**
 * A schema within the subset that Anthropic's structured outputs know: objects are closed, `oneOf` is `anyOf`,
 * and what can't be enforced stands in the description instead, as Anthropic's own SDKs do it.
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
 */
export function fitSchema(schema: JsonObject): FittedSchema {
  const dropped = new Set<string>();
  return { schema: fitted(schema, dropped), dropped };
}

const KEPT = new Set(["$ref", "type", "enum", "const", "title", "default", "$schema"]);
const NESTED_IN_LISTS = new Map([
  ["anyOf", "anyOf"],
  ["oneOf", "anyOf"],
  ["allOf", "allOf"],
]);
const NESTED_BY_NAME = new Set(["properties", "$defs", "definitions"]);
const FORMATS = new Set("date-time time date duration email hostname uri ipv4 ipv6 uuid".split(" "));

function fitted(schema: JsonObject, dropped: Set<string>): JsonObject {
  const result: Record<string, Json> = {};
  const limits: Record<string, Json> = {};
  for (const [keyword, value] of Object.entries(schema)) {
    if (value === undefined || keyword === "description") continue;
    const nested = nestedIn(keyword, value, dropped);
    if (nested) result[nested[0]] = nested[1];
    else if (KEPT.has(keyword) || isTaken(keyword, value)) result[keyword] = value;
    else if (keyword !== "additionalProperties" && keyword !== "required") {
      limits[keyword] = value;
      dropped.add(keyword);
    }
  }
  const required = asArray(schema["required"]);
  const defined = required.filter((name) =>
    Object.hasOwn(asObject(schema["properties"]) ?? {}, asString(name)),
  );
  // A closed object could never have the others.
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
  if (list !== undefined) return [list, asArray(value).map((each) => inner(each, dropped))];
  if (keyword === "items") return [keyword, inner(value, dropped)];
  if (!NESTED_BY_NAME.has(keyword)) return undefined;
  const members = Object.entries(asObject(value) ?? {});
  return [keyword, Object.fromEntries(members.map(([name, each]) => [name, inner(each, dropped)]))];
}

function inner(value: Json | undefined, dropped: Set<string>): Json {
  const schema = asObject(value);
  return schema ? fitted(schema, dropped) : (value ?? {});
}

function isTaken(keyword: string, value: Json): boolean {
  if (keyword === "format") return typeof value === "string" && FORMATS.has(value);
  return keyword === "minItems" && (value === 0 || value === 1);
}

function isObjectType({ type, properties }: JsonObject): boolean {
  const types = typeof type === "string" ? [type] : asArray(type);
  return types.includes("object") || properties !== undefined;
}

/** Whether an object may have no other members than those it names; a schema that says nothing was open. */
function isClosed({ additionalProperties, properties }: JsonObject): boolean {
  return additionalProperties === false || (isAbsent(additionalProperties) && properties !== undefined);
}

/**
 * `response_format` as `output_config.format`, which guarantees the schema. Plain `json_object` has no
 * counterpart, and a forced tool in its place would keep the model from thinking and from other tools: it throws
 * `unsupported`, and so does a model without structured outputs. What of a schema can't be enforced is named.
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
  const { schema: fitted, dropped } = fitSchema(soundSchema(schema, { place, call }));
  nameDropped(dropped, place, call);
  return { type: "json_schema", schema: fitted };
}

/** Names the keywords that a schema had to be made without. */
export function nameDropped(dropped: ReadonlySet<string>, place: string, call: Pick<Call, "ignored">): void {
  for (const keyword of dropped) {
    call.ignored(
      `${place}.${keyword}`,
      "structured outputs can't enforce it; the description tells the model",
    );
  }
}
