import { arrowsFrom, isTest, isUnder, placeOf } from "./tree.ts";
import type { Arrow, SourceTree } from "./tree.ts";

const FLOW = ["src/contract"];
const DIALECTS = [...FLOW, "src/flow"];
const STATE = [...DIALECTS, "src/dialects", "src/log.ts", "src/metrics.ts", "config"];
// What stands beside the state does not know one another: the Gateway interface in src/state is their meeting place.
const BESIDE_STATE = [...STATE, "src/state"];
const PIPELINE = [...BESIDE_STATE, "src/steps"];
const EVERYTHING = ["src", "toolkit", "config", "package.json"];
/** The entries of the package that any file of a plugin may import. */
const FOR_PLUGINS: ReadonlySet<string> = new Set([
  "modelyard/plugin",
  "modelyard/kit",
  "modelyard/credentials",
]);

/** Which layers each layer may import besides itself. From the bottom to the top. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "src/contract": [],
  "config/document": ["config/problem.ts"],
  "config/schema": ["config/document", "config/problem.ts", "config/nearest.ts", "src/contract/options.ts"],
  config: ["src/contract/options.ts"],
  "src/log.ts": ["src/contract"],
  "src/metrics.ts": [],
  "src/launcher.ts": [],
  "src/kit": ["src/contract"],
  "src/flow": FLOW,
  "src/outbound": ["src/contract", "src/kit", "src/flow"],
  "src/dialects": DIALECTS,
  "src/state": STATE,
  "src/stores": BESIDE_STATE,
  "src/host": [...BESIDE_STATE, "src/kit", "toolkit/conformance"],
  "src/steps": BESIDE_STATE,
  "src/pipeline.ts": PIPELINE,
  "src/http": [...PIPELINE, "src/pipeline.ts", "package.json"],
  "src/gateway.ts": [...BESIDE_STATE, "src/stores", "src/host"],
  "src/banner.ts": EVERYTHING,
  "src/main.ts": EVERYTHING,
  "src/cli": EVERYTHING,
  "toolkit/conformance": [...FLOW, "src/flow", "config"],
  "toolkit/capture": [...FLOW, "src/kit"],
  "toolkit/scaffold": ["src/contract", "src/kit"],
  "toolkit/commands": EVERYTHING,
};

/** Imports that go against the table, and files that have no place in it. */
export function layerViolations(tree: SourceTree): string[] {
  return sourcesOf(tree, ["src", "toolkit", "config"]).flatMap((path) => {
    const layer = Object.keys(LAYERS).find((candidate) => isUnder(path, candidate));
    if (layer === undefined) return [`${path} is in no layer`];
    const allowed = [layer, ...(LAYERS[layer] ?? [])];
    return arrowsFrom(tree, path)
      .filter(({ file }) => file !== undefined && !allowed.some((folder) => isUnder(file, folder)))
      .map((arrow) => `${placeOf(arrow)}: ${layer} may not import ${arrow.file}`);
  });
}

/** Imports of the contract from outside it: TypeBox is the only package its types may lean on. */
export function contractPackageViolations(tree: SourceTree): string[] {
  return sourcesOf(tree, ["src/contract"])
    .flatMap((path) => arrowsFrom(tree, path))
    .filter((arrow) => arrow.package !== undefined && arrow.package !== "@sinclair/typebox")
    .map((arrow) => `${placeOf(arrow)}: the contract may not import ${arrow.package}`);
}

/** Imports of the log that are more than types. */
export function logViolations(tree: SourceTree): string[] {
  return arrowsFrom(tree, "src/log.ts")
    .filter(({ typeOnly }) => !typeOnly)
    .map((arrow) => `${placeOf(arrow)}: the log may import only types`);
}

/** Imports of a plugin that a stranger's plugin could not have, and any import of a plugin by the core. */
export function pluginViolations(tree: SourceTree): string[] {
  const outward = sourcesOf(tree, ["plugins"])
    .flatMap((path) => arrowsFrom(tree, path))
    .filter((arrow) => !mayPluginImport(arrow))
    .map((arrow) => `${placeOf(arrow)}: a plugin may not import ${arrow.specifier ?? "a computed path"}`);
  const inward = [...tree.keys()]
    .filter((path) => ["src", "toolkit", "config"].some((folder) => isUnder(path, folder)))
    .flatMap((path) => arrowsFrom(tree, path))
    .filter(({ file }) => file !== undefined && isUnder(file, "plugins"))
    .map((arrow) => `${placeOf(arrow)}: the core may not import ${arrow.file}`);
  return [...outward, ...inward];
}

function mayPluginImport({ from, file, specifier, package: name }: Arrow): boolean {
  if (specifier === "modelyard/conformance") return from.endsWith("/conformance.ts");
  if (specifier !== undefined && FOR_PLUGINS.has(specifier)) return true;
  if (file !== undefined) return isUnder(file, from.split("/").slice(0, 2).join("/"));
  return name !== undefined && !/^(modelyard|bun|bun:.*)$/.test(name);
}

/** Imports of a computed path, from which nothing can be told; only what loads plugins and their fixtures needs them. */
export function computedImportViolations(tree: SourceTree): string[] {
  return sourcesOf(tree, ["src", "toolkit", "config", "plugins"])
    .filter((path) => path !== "src/host/resolve.ts" && path !== "toolkit/commands/plugin-test.ts")
    .flatMap((path) => arrowsFrom(tree, path))
    .filter(({ specifier }) => specifier === undefined)
    .map((arrow) => `${placeOf(arrow)}: imports a computed path`);
}

/** Import cycles, each once, as `a.ts > b.ts > a.ts`. */
export function importCycles(tree: SourceTree): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path].join(" > "));
    if (start >= 0 || done.has(path)) return;
    for (const { file } of arrowsFrom(tree, path)) {
      if (file !== undefined && file !== path && tree.has(file)) visit(file, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of sourcesOf(tree, ["src", "toolkit", "config", "plugins"])) visit(path, []);
  return cycles;
}

/** The files that can be reached from one by imports, itself included. */
export function reachableFrom(tree: SourceTree, start: string): ReadonlySet<string> {
  const reached = new Set([start]);
  // A set may grow while it is walked: what is added is walked too.
  for (const path of reached) {
    for (const { file } of arrowsFrom(tree, path)) if (file !== undefined) reached.add(file);
  }
  return reached;
}

/** Steps that the pipeline doesn't lead to. */
export function unusedSteps(tree: SourceTree): string[] {
  const reached = reachableFrom(tree, "src/pipeline.ts");
  return sourcesOf(tree, ["src/steps"])
    .filter((path) => !reached.has(path))
    .map((path) => `${path} can't be reached from src/pipeline.ts`);
}

/** The files in these folders that are not tests. */
export function sourcesOf(tree: SourceTree, folders: readonly string[]): string[] {
  return [...tree.keys()].filter((path) => !isTest(path) && folders.some((folder) => isUnder(path, folder)));
}
