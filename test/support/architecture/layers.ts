import { arrowsFrom, isTest, isUnder, placeOf } from "./tree.ts";
import type { Arrow, SourceTree } from "./tree.ts";

const EVERYTHING = ["src", "config", "package.json"];
/** What the test of one conformance rule is built on. */
const CONFORMANCE = ["config", "src/contract", "src/answer", "toolkit/conformance/upstreams"];
const CHECKS = [...CONFORMANCE, "toolkit/conformance/harness", "toolkit/conformance/rules"];
/** The entries of the package that any file of a plugin may import. */
const FOR_PLUGINS: ReadonlySet<string> = new Set([
  "modelyard/plugin",
  "modelyard/kit",
  "modelyard/credentials",
]);

/** What every step of a request may import. */
const REQUEST = [
  "src/contract",
  "src/log.ts",
  "src/json",
  "src/errors",
  "src/runtime",
  "src/answer",
  "src/dialects",
  "src/gateway.ts",
];

/** Which rooms each room may import besides itself. Lower rooms come first; only those may be listed, so that there is no circle. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "src/contract": [],
  "src/runtime": [],
  "src/runtime/http-client": ["src/runtime"],
  "config/problem.ts": [],
  "config/nearest.ts": [],
  "config/document": ["config/problem.ts"],
  "config/schema": ["config/document", "config/problem.ts", "config/nearest.ts", "src/contract/options.ts"],
  config: ["src/contract/options.ts"],
  "src/log.ts": ["src/contract"],
  "src/launcher.ts": [],
  "src/json": ["src/contract"],
  "src/errors": ["src/contract"],
  "src/kit/clock.ts": ["src/contract"],
  "src/kit/json": ["src/contract", "src/json"],
  "src/kit/messages": ["src/contract", "src/kit/json"],
  "src/kit/http": ["src/contract", "src/json", "src/runtime", "src/kit/clock.ts", "src/kit/json"],
  "src/kit/sse": ["src/contract", "src/runtime", "src/kit/json", "src/kit/http"],
  "src/kit/openai-stream": ["src/contract", "src/runtime", "src/kit/json", "src/kit/http", "src/kit/sse"],
  "src/kit": ["src/contract", "src/json", "src/runtime"],
  "src/answer": ["src/contract", "src/json", "src/runtime"],
  "src/ledger": ["src/contract", "src/log.ts", "src/answer"],
  "src/telemetry": ["src/errors", "src/ledger"],
  "src/keys": ["config", "src/log.ts"],
  "src/secrets": ["config", "src/json", "src/keys"],
  "src/limits": ["config", "src/ledger"],
  "src/dialects": ["src/contract", "src/json", "src/errors", "src/runtime", "src/answer", "src/limits"],
  "src/targets": ["config", "src/contract", "src/log.ts", "src/json", "src/limits"],
  "src/usage": ["config", "src/contract", "src/log.ts", "src/json", "src/answer", "src/targets"],
  "src/attempts": [
    "src/json",
    "config",
    "src/contract",
    "src/log.ts",
    "src/errors",
    "src/runtime",
    "src/answer",
    "src/ledger",
    "src/limits",
    "src/targets",
    "src/usage",
  ],
  "src/cache": [
    "config",
    "src/contract",
    "src/log.ts",
    "src/json",
    "src/errors",
    "src/runtime",
    "src/answer",
    "src/limits",
    "src/targets",
    "src/attempts",
  ],
  "src/storage": ["config", "src/contract", "src/log.ts", "src/errors", "src/ledger", "src/keys"],
  "toolkit/conformance/rules": [],
  "toolkit/conformance/upstreams": ["src/contract"],
  "toolkit/conformance/harness": CONFORMANCE,
  "toolkit/conformance/checks": [...CHECKS, "src/kit"],
  "toolkit/conformance/parameters": [...CHECKS, "toolkit/conformance/checks"],
  "toolkit/conformance": ["src/contract"],
  "toolkit/capture": ["src/contract", "src/kit"],
  "toolkit/scaffold": ["src/contract", "src/kit"],
  "src/host": [
    "config",
    "src/contract",
    "src/log.ts",
    "src/errors",
    "src/runtime",
    "src/kit",
    "src/secrets",
    "src/targets",
    "src/storage",
  ],
  // Where the subjects meet: what a request is given of all of them.
  "src/gateway.ts": [
    "config",
    "src/log.ts",
    "src/runtime",
    "src/ledger",
    "src/telemetry",
    "src/keys",
    "src/limits",
    "src/targets",
    "src/usage",
    "src/cache",
  ],
  "src/pipeline/intake": [...REQUEST, "src/ledger", "src/keys", "src/limits"],
  "src/pipeline/admission": [
    ...REQUEST,
    "config",
    "src/ledger",
    "src/telemetry",
    "src/keys",
    "src/limits",
    "src/targets",
    "src/usage",
    "src/attempts",
    "src/cache",
    "src/pipeline/intake",
  ],
  "src/pipeline": [...REQUEST, "src/targets", "src/usage", "src/attempts", "src/cache"],
  "src/build-gateway.ts": [
    "config",
    "src/contract",
    "src/log.ts",
    "src/runtime",
    "src/ledger",
    "src/telemetry",
    "src/keys",
    "src/limits",
    "src/targets",
    "src/usage",
    "src/cache",
    "src/host",
    "src/gateway.ts",
  ],
  "src/server": [
    "config",
    "package.json",
    "src/contract",
    "src/log.ts",
    "src/json",
    "src/errors",
    "src/runtime",
    "src/dialects",
    "src/telemetry",
    "src/keys",
    "src/limits",
    "src/targets",
    "src/cache",
    "src/gateway.ts",
    "src/pipeline",
    "src/build-gateway.ts",
  ],
  "src/main.ts": EVERYTHING,
  "src/cli": [...EVERYTHING, "toolkit"],
  "toolkit/commands": [...EVERYTHING, "toolkit"],
};

/** Imports that go against the table, and files that have no place in it. */
export function layerViolations(tree: SourceTree): string[] {
  return sourcesOf(tree, ["src", "toolkit", "config"]).flatMap((path) => {
    const layer = roomOf(path);
    if (layer === undefined) return [`${path} is in no layer`];
    const allowed = [layer, ...(LAYERS[layer] ?? [])];
    return arrowsFrom(tree, path)
      .filter(({ file }) => file !== undefined && !allowed.some((folder) => isUnder(file, folder)))
      .map((arrow) => `${placeOf(arrow)}: ${layer} may not import ${arrow.file}`);
  });
}

/** The row of the table that a file belongs to: the innermost room. */
function roomOf(path: string): string | undefined {
  const rooms = Object.keys(LAYERS).filter((room) => isUnder(path, room));
  return rooms.toSorted((one, other) => other.length - one.length)[0];
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

/** Imports of one kind of storage by anything but what chooses between them. */
export function storageViolations(tree: SourceTree): string[] {
  const kind = /^src\/storage\/[^/]+(?=\/)/;
  return sourcesOf(tree, ["src", "toolkit", "config"])
    .flatMap((path) => arrowsFrom(tree, path))
    .filter(({ file = "" }) => kind.test(file))
    .filter(({ from, file = "" }) => from !== CHOOSES_STORAGE && !isUnder(from, kind.exec(file)?.[0] ?? ""))
    .map((arrow) => `${placeOf(arrow)}: only ${CHOOSES_STORAGE} may import ${arrow.file}`);
}

const CHOOSES_STORAGE = "src/storage/open-storage.ts";

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
  const reached = reachableFrom(tree, "src/pipeline/generate.ts");
  return sourcesOf(tree, ["src/pipeline"])
    .filter((path) => !reached.has(path))
    .map((path) => `${path} can't be reached from src/pipeline/generate.ts`);
}

/** The files in these folders that are not tests. */
export function sourcesOf(tree: SourceTree, folders: readonly string[]): string[] {
  return [...tree.keys()].filter((path) => !isTest(path) && folders.some((folder) => isUnder(path, folder)));
}
