/** One place where a module names another one. */
export interface Mention {
  /** As written; undefined where it is computed. */
  readonly specifier: string | undefined;
  /** Counted from 1. */
  readonly line: number;
  /** True for `import type … from` and `export type … from`. */
  readonly typeOnly: boolean;
}

// Bun.Transpiler.scanImports leaves out `import type`, `export type … from` and `import("x").T`; a type-only
// arrow upwards is still an arrow.
const CLAUSE = String.raw`(?:[\w$*,\s]|\{[^}]*\})*?`;
const QUOTED = String.raw`(?:"(?<a>[^"\n]+)"|'(?<b>[^'\n]+)')`;
const STATEMENT = new RegExp(
  String.raw`(?<=^|[;}]|\*/)[ \t]*(?:import|export)\b(?<type>\s+type\b)?${CLAUSE}\s*(?:from\s*)?${QUOTED}`,
  "gm",
);
const CALL =
  /(?<![.\w$])(?:import|require|require\.resolve|import\.meta\.resolve)\s*\(\s*(?:\/\*.*?\*\/\s*)?(?:(["'`])(?<a>[^"'`\n$]+)\1|(?<computed>[^)\s]))/g;
const WORKER =
  /\bnew\s+URL\s*\(\s*(["'`])(?<a>[^"'`\n]+)\1\s*,\s*import\.meta\.(?:url|dir|dirname|filename)\b/g;

/** Every module that a source text names: imports and re-exports of any kind, and files loaded as workers. */
export function mentions(text: string): Mention[] {
  return [STATEMENT, CALL, WORKER].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      specifier: match.groups?.["a"] ?? match.groups?.["b"],
      line: text.slice(0, match.index + leadingSpace(match[0])).split("\n").length,
      typeOnly: match.groups?.["type"] !== undefined,
    })),
  );
}

function leadingSpace(match: string): number {
  return match.length - match.trimStart().length;
}
