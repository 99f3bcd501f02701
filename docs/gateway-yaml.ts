import type { TSchema } from "@sinclair/typebox";
import { toCheckable } from "../config/schema/checkable.ts";
import { numberFormatOf } from "../config/schema/value-types.ts";
import { isMap, propertiesOf, variantsOf } from "../config/schema/walk.ts";
import { joinWithOr, describeExpected } from "../config/schema/describe.ts";

const INTRODUCTION = `# gateway.yaml

Every key of the file. \`modelyard check\` reports every mistake with its line; an unknown key is a mistake.
Without \`--config PATH\` or \`GATEWAY_CONFIG\` it is \`gateway.yaml\` in the working directory.
Generated from the schema by \`bun run docs\`.

## Values from the environment

Expanded inside values, after the YAML was parsed:

| written | value |
| --- | --- |
| \`\${NAME}\` | the variable; an error if it is not set |
| \`\${NAME:-text}\` | the variable, or the text if it is not set or empty |
| \`\${NAME:+text}\` | the text if \`NAME\` is set and not empty, otherwise nothing |
| \`$\${\` | a plain \`\${\` |

The result is converted to the key's type: with \`PORT=80\`, \`port: \${PORT}\` is the number 80. An empty result is \`false\`
for a boolean; any other optional key then counts as left out. Inside \`{ }\` and \`[ ]\` an expansion needs quotes. Bun also
reads the environment from \`.env\`.

## Formats

Durations: \`250ms\`, \`30s\`, \`10m\`, \`24h\`, \`7d\`. Sizes: \`512KiB\`, \`64MiB\`, \`1GiB\`, \`10MB\`, or a number of bytes. The file is
YAML 1.2 in UTF-8, with anchors, aliases and merge keys (\`<<\`); each key only once.
`;

/** Returns the page that describes every key of gateway.yaml. */
export function referencePage(schema: TSchema): string {
  const sections = Object.entries(propertiesOf(toCheckable(schema)));
  return [INTRODUCTION, ...sections.map(([name, section]) => sectionText(name, section))].join("\n");
}

function sectionText(name: string, section: TSchema): string {
  return `## ${name}\n\n${section.description}\n\n${tables(name, section).join("\n")}`;
}

/** Returns the table of a map's keys and those of the maps in it. */
function tables(name: string, schema: TSchema): string[] {
  const { map, path } = mapIn(name, schema);
  if (map === undefined) return [];
  const entries = Object.entries(propertiesOf(map));
  const required = requiredOf(map);
  const rows = entries.map(([key, part]) => row(key, part, required.includes(key)));
  const head = `\`${path}\`\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |`;
  return [
    `${head}\n${rows.join("\n")}\n`,
    ...entries.flatMap(([key, part]) => tables(`${path}.${key}`, part)),
  ];
}

/** Returns the map with fixed keys that a schema is, or that its items, values or alternatives are. */
function mapIn(path: string, schema: TSchema): { readonly path: string; readonly map?: TSchema } {
  if (isMap(schema["properties"])) return { path, map: schema };
  if (isMap(schema["items"])) return mapIn(`${path}[]`, schema["items"] as TSchema);
  const [values] = Object.values((schema["patternProperties"] ?? {}) as Record<string, TSchema>);
  if (values) return mapIn(`${path}.NAME`, values);
  const variant = variantsOf(schema).find((inner) => isMap(inner["properties"]));
  return variant ? mapIn(path, variant) : { path };
}

function row(key: string, schema: TSchema, required: boolean): string {
  const value: unknown = schema.default;
  const shown =
    value === undefined || isMap(value)
      ? ""
      : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
  const cells = [`\`${key}\``, typeOf(schema), required ? "required" : shown, schema.description ?? ""];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function typeOf(schema: TSchema): string {
  if (numberFormatOf(schema))
    return describeExpected(schema)
      .replace(/ such as.*/, "")
      .replace(/^an? /, "");
  if (isMap(schema["items"])) return `list: ${describeExpected(schema["items"] as TSchema)}`;
  if (schema["type"] === undefined && variantsOf(schema).length === 0) return "map";
  const words = variantsOf(schema).flatMap((variant) =>
    "const" in variant ? [`\`${variant["const"]}\``] : [],
  );
  return words.length > 0 ? joinWithOr(words) : describeExpected(schema).replace(/^an? /, "");
}

/** The schema of an expansion, which an editor must also accept where not every text is allowed. */
const EXPANSION = { type: "string", pattern: "\\$\\{" };
/** Keywords that are left out, or hold schemas and are copied one by one. */
const NOT_COPIED = /^(x-modelyard-.*|properties|patternProperties|items|anyOf|required)$/;

/**
 * Returns the JSON Schema (draft 7) by which editors check and complete gateway.yaml. As the check itself does, it takes
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

/** Returns the required keys without a default. */
export function requiredOf(schema: TSchema): string[] {
  const properties = propertiesOf(schema);
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
