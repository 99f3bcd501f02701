import { expect, test } from "bun:test";
import { parse } from "yaml";
import schema from "../../config/schema.json";
import { GatewaySchema } from "../../config/schema/gateway.ts";

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
}

/** The part of JSON Schema that the generated file uses. */
function accepts(schema: JsonSchema, value: unknown): boolean {
  if (schema.anyOf && !schema.anyOf.some((inner) => accepts(inner, value))) return false;
  if (schema.enum && !schema.enum.includes(value)) return false;
  if (schema.type !== undefined && ![schema.type].flat().some((type) => isOf(type, value))) return false;
  if (typeof value === "string") {
    return new RegExp(schema.pattern ?? "").test(value) && value.length >= (schema.minLength ?? 0);
  }
  if (typeof value === "number") {
    return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity);
  }
  if (Array.isArray(value)) {
    return value.length >= (schema.minItems ?? 0) && value.every((item) => accepts(schema.items ?? {}, item));
  }
  if (typeof value !== "object" || value === null) return true;
  const missing = (schema.required ?? []).some((name) => !Object.hasOwn(value, name));
  return !missing && Object.entries(value).every(([name, part]) => acceptsPart(schema, name, part));
}

function acceptsPart(schema: JsonSchema, name: string, value: unknown): boolean {
  const patterns = Object.entries(schema.patternProperties ?? {});
  const [, matching] = patterns.find(([pattern]) => new RegExp(pattern).test(name)) ?? [];
  const part = schema.properties?.[name] ?? matching;
  return part ? accepts(part, value) : schema.additionalProperties !== false;
}

function isOf(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return type === "integer" ? Number.isInteger(value) : typeof value === type;
}

test("schema.json, reference.md and the page of the plugins' types are those of the source", async () => {
  const process = Bun.spawn(["bun", `${import.meta.dir}/../../docs/generate.ts`, "--check"], {
    stderr: "pipe",
  });
  expect(await new Response(process.stderr).text()).toBe("");
  expect(await process.exited).toBe(0);
});

test.each([
  "../../gateway.yaml",
  "../../config/examples/minimal.yaml",
  "../../config/examples/keys.yaml",
  "../../config/examples/failover.yaml",
])("an editor accepts %s", async (file) => {
  const value: unknown = parse(await Bun.file(`${import.meta.dir}/${file}`).text(), { merge: true });
  expect(accepts(schema as JsonSchema, value)).toBe(true);
});

test.each([
  ["server: { port: x }", false],
  ["server: { port: 70000 }", false],
  ["server: { port: '${PORT}' }", true],
  ["server: { port: 'a${PORT:-3}' }", true],
  ["server: { prot: 1 }", false],
  ["server: { max_body: 12 }", true],
  ["server: { max_body: 12x }", false],
  ["server: { drain: 30 }", false],
  ["server:\nkeys:\nroutes:\nstorage:\ntelemetry:\n", true],
  ["telemetry: { level: loud }", false],
  ["telemetry: { level: '${LEVEL:-info}' }", true],
  ["upstreams: { echo: {} }", false],
  ["upstreams: { Echo: { plugin: echo } }", false],
  ["upstreams: { echo: { plugin: echo, enabled: '${X:+true}', options: { any: [thing] } } }", true],
  ["routes: [{ model: a, targets: [] }]", false],
  ["routes: [{ model: a, targets: [b, { upstream: c, model: d }] }]", true],
  ["routes: [{ model: a, targets: [{ model: d }] }]", false],
  ["keys: [{ name: a, key: short }]", false],
  ["keys: [{ name: a, key: '${KEY:-}' }]", true],
])("an editor on %j: %p", (yaml, accepted) => {
  expect(accepts(schema as JsonSchema, parse(yaml))).toBe(accepted);
});

test("no table of the page is empty, and what is no map has none", async () => {
  const page = await Bun.file(`${import.meta.dir}/../../config/reference.md`).text();
  const tables = page.split("| --- | --- | --- | --- |\n").slice(1);
  expect(tables.length).toBeGreaterThan(8);
  for (const table of tables) expect(table).toStartWith("| `");
  expect(page).not.toContain("`keys[].key`");
  expect(page).not.toContain("`storage.secret`");
});

test("every key of the file is described", async () => {
  const page = await Bun.file(`${import.meta.dir}/../../config/reference.md`).text();
  const undescribed: string[] = [];
  const visit = (path: string, part: JsonSchema) => {
    for (const [name, inner] of Object.entries(part.properties ?? {})) {
      if (!inner.description) undescribed.push(`${path}.${name}`);
      else if (!page.includes(inner.description)) undescribed.push(`${path}.${name} on the page`);
      visit(`${path}.${name}`, inner);
    }
    for (const inner of [part.items, ...(part.anyOf ?? []), ...Object.values(part.patternProperties ?? {})]) {
      if (inner) visit(path, inner);
    }
  };
  visit("", GatewaySchema as unknown as JsonSchema);
  expect(undescribed).toEqual([]);
});
