import { dirname, resolve } from "node:path";
import { checkValue } from "./check.ts";
import { ConfigDocument, toValue } from "./document/document.ts";
import type { Path } from "./document/document.ts";
import { expandDocument } from "./document/expand.ts";
import type { Environment } from "./document/expand.ts";
import { parseYaml } from "./document/parse.ts";
import type { Problem } from "./problem.ts";
import { PROCESS_ENVIRONMENT } from "./environment.ts";
import { readText } from "./document/read.ts";
import { checkRules, isValid, invalidPaths } from "./rules.ts";
import type { CheckedFile } from "./rules.ts";
import { GatewaySchema } from "./schema/gateway.ts";
import type { GatewayFile } from "./schema/gateway.ts";
import type { Settings } from "./settings.ts";
import { toSettings } from "./settings.ts";
import { isMap } from "./schema/walk.ts";

/** The result of loading a configuration file, mistakes included. */
export interface LoadedConfig {
  /** The path as the caller wrote it. */
  readonly file: string;
  /** The absolute folder of the file, from which relative paths in it start. */
  readonly directory: string;
  readonly document: ConfigDocument;
  /** `undefined` when there are problems. */
  readonly settings: Settings | undefined;
  /** The enabled upstreams that are well-formed enough to load their plugin, also when the rest is wrong. */
  readonly upstreams: readonly LoadedUpstream[];
  readonly problems: readonly Problem[];
  /** The values of secret keys, those in upstreams' options excepted. */
  readonly secrets: readonly string[];
}

/** An enabled upstream of a configuration file. */
export interface LoadedUpstream {
  readonly id: string;
  readonly plugin: string;
  /** The options, expanded but not yet checked: `checkValue(plugin.options, options, { document, path })`. */
  readonly options: unknown;
  /** The path of `options` in the document. */
  readonly path: Path;
}

/** Reads, expands and checks a configuration file; a user's mistakes are in `problems` and never thrown. */
export async function loadConfig(
  file: string,
  environment: Environment = PROCESS_ENVIRONMENT,
): Promise<LoadedConfig> {
  const read = await readText(file);
  if ("text" in read) return parseConfig(file, read.text, environment);
  const document = new ConfigDocument(file, undefined);
  const position = { line: read.line ?? 1, column: 1 };
  return withoutSettings(document, [
    document.problem([], { message: read.message, hint: read.hint, position }),
  ]);
}

/** Expands and checks the text of a configuration file; `file` is used only for reports and for `directory`. */
export function parseConfig(file: string, text: string, environment: Environment): LoadedConfig {
  const parsed = parseYaml(file, text);
  const { document } = parsed;
  const root = document.root;
  if (root?.kind !== "map") {
    return withoutSettings(document, parsed.problems.length > 0 ? parsed.problems : [notAMap(document)]);
  }
  const expanded = expandDocument(document, environment);
  return checkDocument(expanded.document, [...parsed.problems, ...expanded.problems]);
}

/**
 * Returns the path of the configuration file: `--config PATH`, `--config=PATH`, `GATEWAY_CONFIG`, else `gateway.yaml`. A `--config`
 * without a path gives an empty one, which `loadConfig` reports.
 */
export function configPath(argv: readonly string[], environment: Environment = PROCESS_ENVIRONMENT): string {
  const last = argv.findLastIndex((word) => word === "--config" || word.startsWith("--config="));
  const word = argv[last];
  if (word === undefined) return environment["GATEWAY_CONFIG"] || "gateway.yaml";
  return word === "--config" ? (argv[last + 1] ?? "") : word.slice("--config=".length);
}

/** Returns the first argument that is neither `--config` nor its path, for commands that take nothing else. */
export function unexpectedArgument(argv: readonly string[]): string | undefined {
  return argv.find((word, at) => !/^--config(=|$)/.test(word) && argv[at - 1] !== "--config");
}

function checkDocument(document: ConfigDocument, earlier: readonly Problem[]): LoadedConfig {
  const value = document.root && toValue(document.root);
  const checked = checkValue(GatewaySchema, value, { document, path: [] });
  const found = [...earlier, ...checked.problems];
  const shaped: CheckedFile = {
    document,
    value: checked.value as Partial<GatewayFile>,
    invalid: invalidPaths(found),
  };
  const problems = removeDuplicates([...found, ...checkRules(shaped)]);
  return {
    ...withoutSettings(document, problems),
    settings: problems.length === 0 ? toSettings(shaped.value as GatewayFile) : undefined,
    upstreams: loadableUpstreams(shaped),
    secrets: checked.secrets,
  };
}

function loadableUpstreams(file: CheckedFile): LoadedUpstream[] {
  const upstreams: unknown = file.value.upstreams;
  return Object.entries(isMap(upstreams) ? upstreams : {}).flatMap(([id, upstream]) => {
    if (!isMap(upstream) || upstream["enabled"] !== true) return [];
    const plugin = upstream["plugin"];
    if (typeof plugin !== "string" || !isValid(file, ["upstreams", id, "plugin"])) return [];
    return [{ id, plugin, options: upstream["options"], path: ["upstreams", id, "options"] }];
  });
}

/** Removes problems that an alias or a merge key repeats. */
function removeDuplicates(problems: readonly Problem[]): Problem[] {
  const first = new Map<string, Problem>();
  for (const problem of problems) {
    const identity = `${problem.line}:${problem.column} ${problem.message}`;
    if (!first.has(identity)) first.set(identity, problem);
  }
  return [...first.values()];
}

function withoutSettings(document: ConfigDocument, problems: readonly Problem[]): LoadedConfig {
  const { file } = document;
  const directory = dirname(resolve(file));
  return { file, directory, document, settings: undefined, upstreams: [], problems, secrets: [] };
}

function notAMap(document: ConfigDocument): Problem {
  const hint = "write sections such as  upstreams: { demo: { plugin: echo } }";
  const { root } = document;
  if (root === undefined || (root.kind === "scalar" && root.value === null)) {
    return document.problem([], { message: "the file is empty", hint });
  }
  const kind = root.kind === "list" ? "a list" : "a single value";
  const known = Object.keys(GatewaySchema.properties).join(", ");
  return document.problem([], { message: `expected a map of ${known}; found ${kind}`, hint });
}
