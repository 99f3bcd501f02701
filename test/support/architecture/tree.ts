import { posix } from "node:path";
import { mentions } from "./specifiers.ts";
import type { Mention } from "./specifiers.ts";

/** Source texts by their path from the root of the project, with slashes. */
export type SourceTree = ReadonlyMap<string, string>;

/** One arrow: a file names another file or a package. */
export interface Arrow extends Mention {
  readonly from: string;
  /** A path of the tree (`src/contract/index.ts` for `modelyard/plugin` too) or an absolute one; undefined for packages. */
  readonly file: string | undefined;
  /** `elysia`, `@sinclair/typebox`, `node:path`; undefined for files. */
  readonly package: string | undefined;
}

const PROVIDED: Readonly<Record<string, string>> = {
  "modelyard/plugin": "src/contract/index.ts",
  "modelyard/kit": "src/kit/index.ts",
  "modelyard/credentials": "src/kit/credentials/index.ts",
};

/** Reads the TypeScript sources in these folders of a project. */
export async function readTree(root: string, folders: readonly string[]): Promise<SourceTree> {
  const tree = new Map<string, string>();
  const paths = folders.flatMap((folder) => [...new Bun.Glob(`${folder}/**/*.ts`).scanSync(root)]);
  for (const path of paths.filter((candidate) => !candidate.includes("node_modules/")).sort()) {
    tree.set(path, await Bun.file(`${root}/${path}`).text());
  }
  return tree;
}

export function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

/** The files under a folder, or the file of that name. */
export function filesUnder(tree: SourceTree, folder: string): string[] {
  return [...tree.keys()].filter((path) => isUnder(path, folder));
}

export function isUnder(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** The arrows that leave a file, type-only and dynamic ones included. */
export function arrowsFrom(tree: SourceTree, from: string): Arrow[] {
  return mentions(tree.get(from) ?? "").map((mention) => {
    const { specifier } = mention;
    const file = specifier === undefined ? undefined : fileOf(tree, from, specifier);
    const isPackage = specifier !== undefined && file === undefined;
    return { ...mention, from, file, package: isPackage ? packageOf(specifier) : undefined };
  });
}

function fileOf(tree: SourceTree, from: string, specifier: string): string | undefined {
  const provided = PROVIDED[specifier];
  if (provided !== undefined) return provided;
  if (!/^(\.{0,2}\/|file:)/.test(specifier)) return undefined;
  if (!specifier.startsWith(".")) return specifier;
  const path = posix.join(posix.dirname(from), specifier.replace(/[?#].*$/, ""));
  return [path, `${path}.ts`, `${path}/index.ts`].find((candidate) => tree.has(candidate)) ?? path;
}

function packageOf(specifier: string): string {
  if (specifier.startsWith("node:") || specifier.startsWith("bun:")) return specifier;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** `src/a.ts:12`, for a report. */
export function placeOf({ from, line }: Arrow): string {
  return `${from}:${line}`;
}
