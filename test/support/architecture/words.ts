import { sourcesOf } from "./layers.ts";
import { arrowsFrom, filesUnder, isUnder, placeOf } from "./tree.ts";
import type { SourceTree } from "./tree.ts";

/** Packages that one part of the tree keeps to itself. */
const CONFINED: Readonly<Record<string, readonly string[]>> = {
  elysia: ["src/server"],
  "lru-cache": ["src/cache/response-cache.ts"],
  "socket.io-client": ["plugins/langfast", "toolkit/scaffold/socketio"],
};

/** Where the environment and the console may be touched. */
const ENVIRONMENT = {
  pattern:
    /\b(?:process|Bun|import\.meta)\s*(?:\??\.\s*env\b|\[\s*["'`]env\b)|\benv\b[^=\n]*}\s*=\s*(?:process|Bun|import\.meta)\b/,
  allowed: ["config/environment.ts"],
};
const CONSOLE = {
  pattern: /\bconsole\s*(?:\?\.|[.[])|=\s*console\b/,
  allowed: ["src/log.ts", "src/cli", "toolkit/commands", "toolkit/scaffold"],
};

/** Words that are a plugin's name and mean something else in a part of the core. */
const OTHER_MEANINGS = [
  // A parameter of OpenAI's legacy completions.
  { plugin: "echo", under: "src/dialects/openai/completions", phrase: /["'`]echo["'`]|\becho:/g },
];

/** Plugins named after a protocol that the core speaks or writes of: only a text that is nothing but the name counts. */
const PROTOCOLS = new Set(["openai", "anthropic", "gemini"]);

const MOST_LINES = 300;
const MOST_PIPELINE_LINES = 100;
const MOST_FILES = 14;

/** Imports of a confined package outside its place, tests included. */
export function confinedPackageViolations(tree: SourceTree): string[] {
  return ["src", "toolkit", "config", "plugins"]
    .flatMap((folder) => filesUnder(tree, folder))
    .flatMap((path) => arrowsFrom(tree, path))
    .flatMap((arrow) => {
      const places = CONFINED[arrow.package ?? ""];
      if (!places || places.some((place) => isUnder(arrow.from, place))) return [];
      return [`${placeOf(arrow)}: ${arrow.package} belongs in ${places.join(" or ")}`];
    });
}

/** Uses of the environment outside config/environment.ts. */
export function environmentViolations(tree: SourceTree): string[] {
  return usesOutside(tree, ENVIRONMENT).map(
    (place) => `${place}: the environment is read in config/environment.ts`,
  );
}

/** Uses of the console where the log or an error is meant. */
export function consoleViolations(tree: SourceTree): string[] {
  return usesOutside(tree, CONSOLE).map((place) => `${place}: use the log instead of the console`);
}

/**
 * The names of built-in plugins as words anywhere in the core, comments and tests included; those that are the
 * name of a protocol, too, only as a text of their own.
 */
export function nameViolations(tree: SourceTree): string[] {
  const plugins = new Set(filesUnder(tree, "plugins").map((path) => path.split("/")[1] ?? ""));
  return [...plugins].flatMap((plugin) => {
    const word = PROTOCOLS.has(plugin)
      ? new RegExp(`(["'\`])${plugin}\\1`)
      : new RegExp(String.raw`\b${plugin}\b`, "i");
    return ["src", "toolkit"]
      .flatMap((folder) => filesUnder(tree, folder))
      .flatMap((path) =>
        linesWith(withoutOtherMeanings(path, tree.get(path) ?? "", plugin), word).map(
          (line) => `${path}:${line}: the core says a plugin's name, ${plugin}`,
        ),
      );
  });
}

/** Files that are too long to be read in one go; tests may be longer. */
export function sizeViolations(tree: SourceTree): string[] {
  return sourcesOf(tree, ["src", "toolkit", "config", "plugins", "test"]).flatMap((path) => {
    const lines = (tree.get(path) ?? "").replace(/\n$/, "").split("\n").length;
    const most = path === "src/pipeline/generate.ts" ? MOST_PIPELINE_LINES : MOST_LINES;
    return lines > most ? [`${path} has ${lines} lines, ${most} at most`] : [];
  });
}

/** Folders with more files than one can keep in mind, tests not counted. */
export function roomViolations(tree: SourceTree): string[] {
  const paths = sourcesOf(tree, ["src", "toolkit", "config", "plugins"]);
  return [...Map.groupBy(paths, (path) => path.slice(0, path.lastIndexOf("/")))]
    .filter(([, files]) => files.length > MOST_FILES)
    .map(([folder, files]) => `${folder} has ${files.length} files, ${MOST_FILES} at most`);
}

/** What a barrel of `export { … } from` lines exports; `type ` stands before the names of types. */
export function exportedNames(barrel: string): string[] {
  const lists = [...barrel.matchAll(/^export\s+(?<type>type\s+)?\{(?<names>[^}]*)\}\s*from\b.*$/gm)];
  const rest = barrel
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^export\s+(type\s+)?\{[^}]*\}\s*from\b.*$/gm, "");
  if (rest.trim() !== "")
    throw new Error(`only \`export { … } from\` lines can be reviewed, not: ${rest.trim()}`);
  return lists
    .flatMap(({ groups }) =>
      (groups?.["names"] ?? "")
        .split(",")
        .map((name) => (groups?.["type"] ? "type " : "") + exportedAs(name)),
    )
    .filter((name) => name.trim() !== "type" && name !== "")
    .sort();
}

/** `c` of `a as c`. */
function exportedAs(entry: string): string {
  return entry.trim().replace(/^(type\s+)?.*\sas\s+/, "$1");
}

function usesOutside(
  tree: SourceTree,
  { pattern, allowed }: { pattern: RegExp; allowed: readonly string[] },
) {
  return sourcesOf(tree, ["src", "toolkit", "config", "plugins"])
    .filter((path) => !allowed.some((place) => isUnder(path, place)))
    .flatMap((path) =>
      linesWith(withoutCommentLines(tree.get(path) ?? ""), pattern).map((line) => `${path}:${line}`),
    );
}

function linesWith(text: string, pattern: RegExp): number[] {
  return text.split("\n").flatMap((line, index) => (pattern.test(line) ? [index + 1] : []));
}

// Only whole lines: what stands behind code on its line is kept, so that no string that looks like a comment hides code.
function withoutCommentLines(text: string): string {
  return text.replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
}

function withoutOtherMeanings(path: string, text: string, plugin: string): string {
  return OTHER_MEANINGS.filter((meaning) => meaning.plugin === plugin && isUnder(path, meaning.under)).reduce(
    (rest, { phrase }) => rest.replace(phrase, ""),
    text,
  );
}
