import type { TSchema } from "@sinclair/typebox";
import { parseYaml } from "../../../config/document/parse.ts";
import { checkValue } from "../../../config/check.ts";
import { isSecret } from "../../../src/contract/options.ts";
import type { Capabilities, Model } from "../../../src/contract/index.ts";
import { receivesRequest } from "../harness/harness.ts";
import type { Harness, OpenedUpstream } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { RuleViolation, describeError, NotApplicable, quoted } from "../harness/verdict.ts";
import { TIMED_OUT, withTimeout } from "../harness/timing.ts";

const API_VERSION = 1;
const NAME = /^[a-z][a-z0-9-]*$/;
const SOUNDS_SECRET = /(^|_)(api_?key|key|token|secret|password|passphrase)$/i;

/** Level 6: manifest, options, models and status. */
export const SURFACE: readonly Check[] = [
  { rule: "6.1 manifest", scenarios: [], run: manifest },
  { rule: "6.2 strict", scenarios: [], run: strict },
  { rule: "6.3 described", scenarios: [], run: described },
  { rule: "6.4 defaults", scenarios: [], run: defaults },
  { rule: "6.5 marked", scenarios: [], run: marked },
  { rule: "6.6 models", scenarios: ["text"], run: models },
  { rule: "6.7 models-abort", scenarios: ["silent"], run: modelsAbort },
  { rule: "6.8 status", scenarios: ["text"], run: status },
  { rule: "6.9 pages", scenarios: ["pages"], run: pages },
];

async function manifest({ plugin }: Harness): Promise<void> {
  const version: unknown = plugin.apiVersion;
  if (version !== API_VERSION)
    throw new RuleViolation(`apiVersion is ${String(version)} and not ${API_VERSION}`);
  if (!NAME.test(plugin.name))
    throw new RuleViolation(`the name ${quoted(plugin.name)} isn't lower case letters, digits and dashes`);
  if (plugin.options["type"] !== "object") throw new RuleViolation("the options are no Type.Object(…)");
}

async function strict({ plugin }: Harness): Promise<void> {
  for (const { path, schema } of [
    { path: "options", schema: plugin.options },
    ...propertiesIn(plugin.options),
  ]) {
    if (!isLoose(schema)) continue;
    throw new RuleViolation(
      `${path} takes any key: write \`additionalProperties: false\` beside its properties`,
    );
  }
}

/** Returns whether an object with named properties accepts others. One without any is a map with the user's keys. */
function isLoose(schema: TSchema): boolean {
  return (
    schema["type"] === "object" &&
    schema["properties"] !== undefined &&
    schema["additionalProperties"] !== false
  );
}

async function described({ plugin }: Harness): Promise<void> {
  const bare = propertiesIn(plugin.options)
    .filter(({ isNamed, schema }) => isNamed && (schema.description ?? "").trim() === "")
    .map(({ path }) => path);
  if (bare.length > 0) throw new RuleViolation(`without a description: ${bare.join(", ")}`);
}

async function defaults({ plugin }: Harness): Promise<void> {
  for (const { path, schema } of propertiesIn(plugin.options)) {
    if (!("default" in schema)) continue;
    const value: unknown = schema.default;
    const { document } = parseYaml("options", JSON.stringify(value));
    const [problem] = checkValue(schema, value, { document, path: [] }).problems;
    if (problem)
      throw new RuleViolation(`the default of ${path}, ${JSON.stringify(value)}: ${problem.message}`);
  }
}

async function marked({ plugin }: Harness): Promise<void> {
  const bare = propertiesIn(plugin.options)
    .filter(
      ({ name, schema }) => SOUNDS_SECRET.test(name) && schema["type"] === "string" && !isSecret(schema),
    )
    .map(({ path }) => path);
  if (bare.length > 0) throw new RuleViolation(`sounds like a secret and isn't marked: ${bare.join(", ")}`);
}

async function models(harness: Harness): Promise<string> {
  return harness.play("text", async ({ opened }) => {
    const ids = (await listOf(opened, harness.patience)).map((model) => checkedId(model));
    const twice = ids.find((id, index) => ids.indexOf(id) !== index);
    if (twice !== undefined) throw new RuleViolation(`models() lists "${twice}" twice`);
    return `${ids.length} models`;
  });
}

async function listOf(opened: OpenedUpstream, patience: number): Promise<readonly Model[]> {
  const listed: unknown = await opened.models(patience);
  if (listed instanceof Error) throw new RuleViolation(`models() failed with ${describeError(listed)}`);
  if (!Array.isArray(listed)) throw new RuleViolation("models() returns no list");
  return listed as readonly Model[];
}

const CAPABILITIES: Readonly<Record<keyof Capabilities, "boolean" | "number">> = {
  tools: "boolean",
  vision: "boolean",
  json_schema: "boolean",
  reasoning: "boolean",
  context: "number",
  output: "number",
};

function checkedId(model: Model): string {
  if (typeof model?.id !== "string" || model.id === "")
    throw new RuleViolation(`a model has no id: ${quoted(JSON.stringify(model))}`);
  const stray = Object.keys(model).find((name) => Object.hasOwn(CAPABILITIES, name));
  if (stray !== undefined)
    throw new RuleViolation(`"${model.id}" has ${stray} outside \`capabilities\`, where it is ignored`);
  for (const [name, value] of Object.entries(model.capabilities ?? {})) {
    const kind = Object.hasOwn(CAPABILITIES, name) ? CAPABILITIES[name as keyof Capabilities] : undefined;
    if (kind === undefined) throw new RuleViolation(`"${model.id}" has an unknown capability: ${name}`);
    if (value === undefined || (typeof value === kind && (kind === "boolean" || value > 0))) continue;
    throw new RuleViolation(`"${model.id}" has ${name}: ${JSON.stringify(value)}, not a ${kind}`);
  }
  return model.id;
}

// Time for a list that is answered although the upstream plays `silent`.
const LISTING_MS = 50;

async function modelsAbort(harness: Harness): Promise<string> {
  return harness.play("silent", async (play) => {
    const leaving = new AbortController();
    const before = play.played.received.length;
    const listing = (async () => play.opened.upstream.models(leaving.signal))();
    const ended = listing.then(
      () => undefined,
      () => undefined,
    );
    const early = await withTimeout(
      Promise.race([ended, receivesRequest(play, harness.patience)]),
      harness.patience,
    );
    if (early === TIMED_OUT || early === false)
      throw new RuleViolation("models() neither returns nor sends a request");
    const hasEnded = (await withTimeout(ended, LISTING_MS)) !== TIMED_OUT;
    if (hasEnded && play.played.received.length > before) {
      throw new NotApplicable("your `silent` answers the list, so cancelling wasn't tested");
    }
    leaving.abort(new DOMException("nobody waits for the list", "AbortError"));
    if ((await withTimeout(ended, harness.patience)) === TIMED_OUT) {
      throw new RuleViolation(`${harness.patience} ms after its signal was aborted models() still waits`);
    }
    return hasEnded ? "without a request" : "by a request";
  });
}

async function status(harness: Harness): Promise<void> {
  await harness.play("text", async ({ ask, opened }) => {
    if (!opened.upstream.status) throw new NotApplicable("it has no status()");
    await ask().readAll();
    const told: unknown = opened.upstream.status();
    if (told === undefined) throw new RuleViolation("status() returns undefined");
    let again: unknown;
    try {
      again = JSON.parse(JSON.stringify(told));
    } catch (error) {
      throw new RuleViolation(`status() can't be written as JSON: ${describeError(error)}`);
    }
    if (!Bun.deepEquals(again, told))
      throw new RuleViolation("status() has a value that JSON can't represent: a date, a map, NaN");
  });
}

async function pages(harness: Harness): Promise<string> {
  return harness.play("pages", async ({ opened, scenario }) => {
    const ids = new Set((await listOf(opened, harness.patience)).map(({ id }) => id));
    const all = scenario.pages.flat();
    const lost = all.filter((id) => !ids.has(id));
    if (lost.length === all.length) throw new NotApplicable("none of the scenario's `pages` are in its list");
    if (lost.length > 0)
      throw new RuleViolation(`models() lacks models of the upstream's list: ${lost.join(", ")}`);
    return `${scenario.pages.length} pages`;
  });
}

/** A part of a schema, and where it stands. */
interface Part {
  /** As `options.keys[].weight`. */
  readonly path: string;
  readonly name: string;
  /** True for a property that users write by its name. */
  readonly isNamed: boolean;
  readonly schema: TSchema;
}

/** All parts of a schema, at every depth. */
function propertiesIn(schema: TSchema, path = "options"): Part[] {
  return partsOf(schema, path).flatMap((part) => [part, ...propertiesIn(part.schema, part.path)]);
}

function partsOf(schema: TSchema, path: string): Part[] {
  const named = Object.entries((schema["properties"] ?? {}) as Record<string, TSchema>).map(
    ([name, part]): Part => ({ path: `${path}.${name}`, name, isNamed: true, schema: part }),
  );
  const values = Object.values((schema["patternProperties"] ?? {}) as Record<string, TSchema>);
  const inner = [schema["additionalProperties"], ...values].map((part) => [`${path}.*`, part] as const);
  const items = [schema["items"]].flat().map((part) => [`${path}[]`, part] as const);
  const variants = [schema["anyOf"], schema["allOf"]].flat().map((part) => [path, part] as const);
  const unnamed = [...inner, ...items, ...variants].flatMap(([place, part]): Part[] =>
    typeof part === "object" && part !== null
      ? [{ path: place, name: "", isNamed: false, schema: part }]
      : [],
  );
  return [...named, ...unnamed];
}
