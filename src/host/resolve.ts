import { existsSync, readdirSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { nearest } from "../../config/nearest.ts";
import * as contract from "../contract/index.ts";
import type { UpstreamPlugin } from "../contract/index.ts";
import * as kit from "../kit/index.ts";

const BUILT_IN = join(import.meta.dir, "../../plugins");
const API_VERSION = 1;

/** Why a plugin can't be loaded, in words for whoever wrote `plugin:`. */
export class PluginError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "PluginError";
    this.hint = options.hint;
  }
}

let provided = false;

/** Makes `modelyard/plugin` and `modelyard/kit` known to plugins, wherever their files lie. */
function provideSpecifiers(): void {
  if (provided) return;
  provided = true;
  Bun.plugin({
    name: "modelyard",
    setup(build) {
      build.module("modelyard/plugin", () => ({ exports: contract, loader: "object" }));
      build.module("modelyard/kit", () => ({ exports: kit, loader: "object" }));
    },
  });
}

/**
 * Loads what `plugin:` names: a file (`./`, `../` or absolute, from `directory`), a built-in, or an npm
 * package that can be found from `directory`. Throws a PluginError.
 */
export async function loadPlugin(name: string, directory: string): Promise<UpstreamPlugin> {
  provideSpecifiers();
  const file = locate(name, directory);
  let module: { readonly default?: unknown };
  try {
    module = (await import(file)) as { readonly default?: unknown };
  } catch (cause) {
    throw new PluginError(`the plugin ${file} can't be loaded: ${importProblem(cause)}`, { cause });
  }
  return checkedPlugin(module.default, file);
}

function locate(name: string, directory: string): string {
  if (name.startsWith("./") || name.startsWith("../") || isAbsolute(name)) {
    const file = resolve(directory, name);
    if (existsSync(file)) return file;
    throw new PluginError(`there is no plugin file ${file}`);
  }
  if (builtIns().includes(name)) return join(BUILT_IN, name, "index.ts");
  try {
    return Bun.resolveSync(name, directory);
  } catch (cause) {
    throw new PluginError(
      `"${name}" is neither a built-in plugin (${builtIns().join(", ")}) nor an installed package`,
      { hint: meantBy(name), cause },
    );
  }
}

function meantBy(name: string): string {
  if (/\.[cm]?[jt]s$/.test(name)) return `write ./${name} for a file in the folder of gateway.yaml`;
  const near = nearest(name, builtIns());
  if (near !== undefined) return `did you mean "${near}"?`;
  return `write ./${name}.ts for a file in the folder of gateway.yaml, or install the package there`;
}

/** The names of the plugins that come with the gateway. */
function builtIns(): string[] {
  return readdirSync(BUILT_IN, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

function importProblem(error: unknown): string {
  // Bun's syntax errors: an AggregateError of messages with positions.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = first instanceof Error || hasMessage(first) ? first.message : String(first);
  const { position } = first as { position?: { file: string; line: number; column: number } | null };
  return position ? `${position.file}:${position.line}:${position.column}: ${message}` : message;
}

function hasMessage(value: unknown): value is { message: string } {
  return (
    typeof value === "object" && value !== null && "message" in value && typeof value.message === "string"
  );
}

function checkedPlugin(plugin: unknown, file: string): UpstreamPlugin {
  if (typeof plugin !== "object" || plugin === null) {
    throw new PluginError(`${file} has no plugin as its default export`, {
      hint: "write `export default definePlugin({ … })`",
    });
  }
  const { apiVersion, name, options, open } = plugin as Partial<UpstreamPlugin>;
  if (apiVersion !== API_VERSION) {
    throw new PluginError(
      `${file} is written to apiVersion ${String(apiVersion)}, this gateway speaks ${API_VERSION}`,
    );
  }
  const wrong = Object.entries({
    name: typeof name === "string" && name !== "",
    options: typeof options === "object" && options !== null,
    open: typeof open === "function",
  }).filter(([, fine]) => !fine);
  if (wrong.length > 0) {
    throw new PluginError(
      `${file}: the plugin's ${wrong.map(([field]) => field).join(", ")} is missing or of the wrong kind`,
    );
  }
  return plugin as UpstreamPlugin;
}
