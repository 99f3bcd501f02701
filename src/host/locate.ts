import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { nearestName } from "../../config/nearest.ts";
import { PluginError } from "./plugin-error.ts";

const BUILT_IN = join(import.meta.dir, "../../plugins");

/**
 * Returns the file of the plugin that `plugin:` names: a path (`./`, `../` or absolute, relative to `directory`), a
 * built-in, or an npm package installed in `directory` or a parent folder. Throws a PluginError if there is none.
 */
export function locate(name: string, directory: string): string {
  if (name.startsWith("./") || name.startsWith("../") || isAbsolute(name)) {
    return existingFile(resolve(directory, name));
  }
  if (builtIns().includes(name)) return join(BUILT_IN, name, "index.ts");
  // Without node_modules Bun would download and run any package of that name.
  if (!ancestors(directory).some((folder) => existsSync(join(folder, "node_modules", packageName(name))))) {
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

/** Returns the package name of an import specifier: `@scope/name` for `@scope/name/part`. */
export function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Returns the nearest parent folder with a package.json, where `bun add` is to be run; without one, the file's own folder. */
export function packageFolder(file: string): string {
  return ancestors(dirname(file)).find((folder) => existsSync(join(folder, "package.json"))) ?? dirname(file);
}

function existingFile(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return file;
  if (!found) throw new PluginError(`there is no plugin file ${file}`);
  throw new PluginError(`${file} is a folder`, { hint: "name the plugin's file in it, such as index.ts" });
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

/** Returns the names of the built-in plugins. */
function builtIns(): string[] {
  return readdirSync(BUILT_IN, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
