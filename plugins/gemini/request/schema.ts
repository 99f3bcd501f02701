import type { MaybeJson } from "modelyard/kit";
import { asArray, describeLimits, isObject, wellFormedSchema } from "modelyard/kit";
import { isNumber } from "modelyard/plugin";
import type { Call, Json, JsonObject } from "modelyard/plugin";
import { badRequest } from "./errors.ts";

interface SchemaContext {
  /** The schema's path in the request, such as `response_format.json_schema.schema`. */
  readonly path: string;
  /** The type that the schema must have. */
  readonly type?: "object";
  readonly call: Pick<Call, "ignored">;
}

/**
 * Converts a JSON Schema to the subset that Gemini supports (`responseJsonSchema` of
 * https://ai.google.dev/api/generate-content#generationconfig). Keywords with another form there are converted:
 * `const`, `allOf`, `nullable`, `definitions`, null in an enum, keywords beside a `$ref`. Unsupported ones are
 * omitted, reported by `call.ignored` and stated in the description where possible, as Gemini rejects a request with
 * an invalid schema.
 */
export function geminiSchema(schema: Json, { path, type, call }: SchemaContext): JsonObject {
  if (!isObject(schema)) throw badRequest(path, "a JSON Schema");
  const { schema: root, dropped } = wellFormedSchema(schema, type);
  const converter = new Converter(root, call);
  for (const place of dropped) converter.ignore(`${path}.${place}`);
  const { $defs, definitions, ...rest } = root;
  const shared = { ...objectOr(definitions), ...objectOr($defs) };
  const body = converter.convert(rest, path);
  if (Object.keys(shared).length === 0) return body;
  return { ...body, $defs: converter.each(shared, `${path}.$defs`) };
}

type Members = Record<string, Json | undefined>;
/** Maps a keyword; returns undefined if Gemini has no counterpart. */
type Rule = (converter: Converter, value: Json, path: string) => JsonObject | undefined;

/** Limit of definitions copied in place of a `$ref`, as nested definitions can grow exponentially. */
const MAX_COPIES = 1000;

/** The documented formats; Gemini rejects others. */
const FORMATS = new Set(["date-time", "date", "time", "float", "double", "int32", "int64"]);

class Converter {
  readonly #root: JsonObject;
  readonly #call: Pick<Call, "ignored">;
  /** The references being copied; a recursive one can't be copied. */
  readonly #open = new Set<string>();
  #copies = 0;

  constructor(root: JsonObject, call: Pick<Call, "ignored">) {
    this.#root = root;
    this.#call = call;
  }

  convert(schema: MaybeJson, path: string): JsonObject {
    if (schema === true) return {};
    if (!isObject(schema)) return this.ignore(path);
    if (typeof schema["$ref"] === "string") return this.#reference(schema["$ref"], schema, path);
    if (Array.isArray(schema["allOf"])) return this.convert(this.#merged(schema, path), path);
    return this.#withNull(schema, this.#members(schema, path));
  }

  ignore(path: string): JsonObject {
    this.#call.ignored(path, "Gemini's schemas have no such keyword");
    return {};
  }

  each(schemas: MaybeJson, path: string): JsonObject {
    return Object.fromEntries(
      Object.entries(objectOr(schemas)).map(([name, schema]) => [
        name,
        this.convert(schema, `${path}.${name}`),
      ]),
    );
  }

  list(schemas: MaybeJson, path: string): readonly JsonObject[] {
    return asArray(schemas).map((schema, index) => this.convert(schema, `${path}[${index}]`));
  }

  #members(schema: JsonObject, path: string): Members {
    const members: Members = {};
    const limits: Record<string, Json> = {};
    for (const [keyword, value] of Object.entries(schema)) {
      if (value === undefined) continue;
      const mapped = RULES.get(keyword)?.(this, value, `${path}.${keyword}`);
      if (mapped) Object.assign(members, mapped);
      else {
        this.ignore(`${path}.${keyword}`);
        if (keyword !== "definitions") limits[keyword] = value;
      }
    }
    this.#keepDefined(schema, members, path);
    const description = describeLimits(members["description"], limits);
    return description === undefined ? members : { ...members, description };
  }

  /** Drops required properties that the same level doesn't define, as Gemini rejects them. */
  #keepDefined({ required, properties }: JsonObject, members: Members, path: string): void {
    const names = asArray(required).filter((name) => typeof name === "string");
    const defined = names.filter((name) => Object.hasOwn(objectOr(properties), name));
    if (defined.length < names.length) this.ignore(`${path}.required`);
    if (defined.length > 0) members["required"] = defined;
  }

  /** Converts OpenAPI's `nullable`, and null in an enum, whose values may only be strings and numbers. */
  #withNull(schema: JsonObject, members: Members): JsonObject {
    const isNullable = schema["nullable"] === true || asArray(schema["enum"]).includes(null);
    if (!isNullable) return members;
    const types = asArray(members["type"]).filter((type) => type !== "null");
    if (types.length > 0) members["type"] = types.length === 1 ? types[0] : types;
    return { anyOf: [members, { type: "null" }] };
  }

  #reference(reference: string, schema: JsonObject, path: string): JsonObject {
    const { $ref: _, ...beside } = schema;
    const target = this.#target(reference);
    if (!target) {
      this.ignore(`${path}.$ref`);
      return this.convert(beside, path);
    }
    const isShared = /^#(\/(\$defs|definitions)\/[^/]+)?$/.test(reference);
    // Gemini takes no keywords beside a `$ref`.
    if (isShared && (Object.keys(beside).length === 0 || this.#isEndless(reference))) {
      for (const keyword of Object.keys(beside)) this.ignore(`${path}.${keyword}`);
      return { $ref: reference.replace("#/definitions/", "#/$defs/") };
    }
    // Gemini takes references to `$defs` only.
    if (this.#isEndless(reference)) return this.ignore(`${path}.$ref`);
    this.#open.add(reference);
    this.#copies++;
    const copy = this.convert({ ...target, ...beside }, path);
    this.#open.delete(reference);
    return copy;
  }

  #isEndless(reference: string): boolean {
    return this.#open.has(reference) || this.#copies >= MAX_COPIES;
  }

  /**
   * Resolves a `$ref` within the schema (RFC 6901). Returns undefined if it has no target or is to another document.
   */
  #target(reference: string): JsonObject | undefined {
    if (!reference.startsWith("#")) return undefined;
    const names = reference.split("/").slice(1);
    const target = names.reduce<MaybeJson>((value, name) => {
      const key = decodePointer(name).replaceAll("~1", "/").replaceAll("~0", "~");
      return typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as JsonObject)[key]
        : undefined;
    }, this.#root);
    return isObject(target) ? target : undefined;
  }

  /** Merges a schema with its `allOf`. Of contradicting keywords the first wins, and the others are reported. */
  #merged({ allOf, ...schema }: JsonObject, path: string): JsonObject {
    const all = asArray(allOf).map((each) => {
      const reference = isObject(each) ? each["$ref"] : undefined;
      const target = typeof reference === "string" ? this.#target(reference) : {};
      if (!target) this.ignore(`${path}.allOf`);
      return isObject(each) ? { ...target, ...each, $ref: undefined } : {};
    });
    if (this.#copies++ >= MAX_COPIES) {
      this.ignore(`${path}.allOf`);
      return schema;
    }
    return all.reduce<JsonObject>((first, second) => this.#both(first, second, path), schema);
  }

  #both(first: JsonObject, second: JsonObject, path: string): JsonObject {
    for (const [keyword, value] of Object.entries(second)) {
      const isOpen = first[keyword] === undefined || MERGED_KEYWORDS.has(keyword) || value === undefined;
      if (!isOpen && JSON.stringify(first[keyword]) !== JSON.stringify(value)) this.ignore(`${path}.allOf`);
    }
    const properties = { ...objectOr(second["properties"]), ...objectOr(first["properties"]) };
    const required = [...new Set([...asArray(first["required"]), ...asArray(second["required"])])];
    const nested = [...asArray(first["allOf"]), ...asArray(second["allOf"])];
    return {
      ...second,
      ...first,
      ...(Object.keys(properties).length > 0 && { properties }),
      ...(required.length > 0 && { required }),
      allOf: nested.length > 0 ? nested : undefined,
    };
  }
}

/** Keywords whose values `#both` merges, or of which either value will do. */
const MERGED_KEYWORDS = new Set(["properties", "required", "allOf", "title", "description"]);

const RULES = new Map<string, Rule>([
  ...["type", "title", "description", "minItems", "maxItems", "minimum", "maximum"].map(keep),
  ...["propertyOrdering", "$id", "$anchor"].map(keep),
  // These don't restrict values, or are handled elsewhere.
  ...["$schema", "$comment", "nullable", "required"].map((keyword): [string, Rule] => [keyword, () => ({})]),
  ["properties", (converter, value, path) => ({ properties: converter.each(value, path) })],
  ["$defs", (converter, value, path) => ({ $defs: converter.each(value, path) })],
  ["items", (converter, value, path) => ({ items: converter.convert(value, path) })],
  ...["anyOf", "oneOf", "prefixItems"].map((keyword): [string, Rule] => [
    keyword,
    (converter, value, path) => ({ [keyword]: converter.list(value, path) }),
  ]),
  [
    "additionalProperties",
    (converter, value, path) => ({
      additionalProperties: typeof value === "boolean" ? value : converter.convert(value, path),
    }),
  ],
  ["enum", (_, value) => enumOf(asArray(value))],
  ["const", (_, value) => enumOf([value])],
  ["format", (_, value) => (typeof value === "string" && FORMATS.has(value) ? { format: value } : undefined)],
]);

function keep(keyword: string): [string, Rule] {
  return [keyword, (_, value) => ({ [keyword]: value })];
}

function enumOf(values: readonly Json[]): JsonObject | undefined {
  const possible = values.filter((value) => value !== null);
  const areTaken = possible.every((value) => typeof value === "string" || isNumber(value));
  return areTaken && possible.length > 0 ? { enum: possible } : undefined;
}

function objectOr(value: MaybeJson): JsonObject {
  return isObject(value) ? value : {};
}

function decodePointer(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
