import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { nearestName } from "../../config/nearest.ts";
import { PluginError } from "./plugin-error.ts";

const BUILT_IN = join(import.meta.dir, "../../plugins");

/**
 * The file that `plugin:` names: a file (`./`, `../` or absolute, from `directory`), a built-in, or an npm
 * package installed in `directory` or above it. Throws a PluginError.
 */
export function locate(name: string, directory: string): string {
  if (name.startsWith("./") || name.startsWith("../") || isAbsolute(name)) {
    return existingFile(resolve(directory, name));
  }
  if (builtIns().includes(name)) return join(BUILT_IN, name, "index.ts");
  if (!isInstalled(name, directory)) {
    throw new PluginError(
      `"${name}" is neither a built-in plugin (${builtIns().join(", ")}) nor an installed package`,
      { hint: meantBy(name) },
    );
  }
  try {
    return Bun.resolveSync(name, directory);
  } catch (cause) {
    throw new PluginError(`the package "${name}" is installed, but has no entry that can be loaded`, {
      hint: `its package.json needs "exports" or "main"`,
      cause,
    });
  }
}

/** The name of the package that an import names: `@scope/name` of `@scope/name/part`. */
export function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The folder with a package.json around a file, where `bun add` belongs; the file's own where there is none. */
export function packageFolder(file: string): string {
  return ancestors(dirname(file)).find((folder) => existsSync(join(folder, "package.json"))) ?? dirname(file);
}

function existingFile(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return file;
  if (!found) throw new PluginError(`there is no plugin file ${file}`);
  throw new PluginError(`${file} is a folder`, { hint: "name the plugin's file in it, such as index.ts" });
}

// Asked before Bun is: where there is no node_modules, it would fetch whatever has that name and run it.
function isInstalled(name: string, directory: string): boolean {
  return ancestors(directory).some((folder) => existsSync(join(folder, "node_modules", packageName(name))));
}

function ancestors(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...ancestors(above)];
}

function meantBy(name: string): string {
  if (/\.[cm]?[jt]s$/.test(name)) return `write ./${name} for a file in the folder of gateway.yaml`;
  const near = nearestName(name, builtIns());
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
