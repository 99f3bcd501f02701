import { TypeGuard } from "@sinclair/typebox";
import type { UpstreamPlugin } from "../contract/index.ts";
import { importProblem } from "./import-problem.ts";
import { locate } from "./locate.ts";
import { PluginError } from "./plugin-error.ts";
import { withTimeout } from "./scope.ts";
import { provideSpecifiers } from "./specifiers.ts";

const API_VERSION = 1;

// A module loads in milliseconds: one that takes this long awaits something at its top level.
const LOAD_DEADLINE_MS = 10_000;

/**
 * Loads the plugin that `plugin:` names, as `locate` finds it, and checks its shape and `apiVersion`. Rejects with a
 * PluginError.
 */
export async function loadPlugin(name: string, directory: string): Promise<UpstreamPlugin> {
  provideSpecifiers();
  const file = locate(name, directory);
  return checkedPlugin(await defaultExport(file), file);
}

async function defaultExport(file: string): Promise<unknown> {
  const loading = import(file) as Promise<{ readonly default?: unknown }>;
  const advice = ": nothing may be waited for at a file's top level; what waits belongs in start()";
  try {
    return (await withTimeout(LOAD_DEADLINE_MS, loading, advice)).default;
  } catch (cause) {
    const { message, hint } = importProblem(cause);
    throw new PluginError(`the plugin ${file} can't be loaded: ${message}`, { hint, cause });
  }
}

function checkedPlugin(plugin: unknown, file: string): UpstreamPlugin {
  if (typeof plugin !== "object" || plugin === null) {
    throw new PluginError(`${file} has no plugin as its default export`, {
      hint: "write `export default definePlugin({ … })`",
    });
  }
  const { apiVersion, name, options, open } = plugin as Partial<UpstreamPlugin>;
  if (apiVersion !== API_VERSION) throw wrongVersion(apiVersion, file);
  const wrong = [
    ...(typeof name === "string" && /^[a-z0-9][a-z0-9-]*$/.test(name)
      ? []
      : ["`name` must be a text of lower case letters, digits and dashes"]),
    ...(TypeGuard.IsSchema(options) ? [] : ["`options` must be a schema made with Type.Object"]),
    ...(typeof open === "function" ? [] : ["`open` must be a function"]),
  ];
  if (wrong.length > 0) throw new PluginError(`${file}: the plugin's ${wrong.join(", its ")}`);
  return plugin as UpstreamPlugin;
}

function wrongVersion(version: unknown, file: string): PluginError {
  if (version === undefined) {
    return new PluginError(`${file}: the plugin doesn't say which apiVersion it is written to`, {
      hint: `write \`apiVersion: ${API_VERSION}\` in its definePlugin`,
    });
  }
  return new PluginError(
    `${file} is written to apiVersion ${JSON.stringify(version)}, this gateway speaks ${API_VERSION}`,
    { hint: `update the gateway, or use a version of the plugin that is written to ${API_VERSION}` },
  );
}
