import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { packageFolder, packageName } from "./locate.ts";
import { SPECIFIERS } from "./specifiers.ts";
import { thrownAt } from "./thrown-at.ts";

/** What went wrong while a plugin's modules were loaded. */
export interface ImportProblem {
  /** Begins with `FILE:LINE:COLUMN:` where that can be told. */
  readonly message: string;
  readonly hint?: string;
}

/** What Bun throws for an import that leads nowhere. */
interface ResolveMessage {
  readonly message: string;
  readonly specifier: string;
  /** The file that imports it. */
  readonly referrer: string;
}

/** What Bun throws for a file that it can't read as code. */
interface BuildMessage {
  readonly message: string;
  readonly position: { readonly file: string; readonly line: number; readonly column: number };
}

/** Tells the cause of a failed import, with its file and line, and how to mend it where that is known. */
export function importProblem(error: unknown): ImportProblem {
  // Of several syntax errors the later ones mostly follow from the first.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (isResolveMessage(first)) return unresolved(first);
  if (isBuildMessage(first)) {
    const { file, line, column } = first.position;
    return { message: `${file}:${line}:${column}: ${first.message}` };
  }
  if (!(first instanceof Error)) return { message: `it throws ${String(first)}` };
  if (/^Export (named )?'\w+' not found/i.test(first.message)) {
    return { message: first.message, hint: "a type must be imported with `import type { … }`" };
  }
  const place = thrownAt(first);
  return { message: place === undefined ? first.message : `${place}: ${first.message}` };
}

function unresolved({ specifier, referrer }: ResolveMessage): ImportProblem {
  const message = `${importPlace(specifier, referrer)}: it imports "${specifier}", which`;
  if (/^[./]/.test(specifier)) return { message: `${message} doesn't exist` };
  if (isBuiltin(specifier) || /^(node|bun):/.test(specifier))
    return { message: `${message} Bun doesn't have` };
  const name = packageName(specifier);
  if (name === "modelyard") {
    return { message: `${message} doesn't exist`, hint: `a plugin can import ${SPECIFIERS.join(", ")}` };
  }
  return {
    message: `${message} is not installed`,
    hint: `run \`bun add ${name}\` in ${packageFolder(referrer)}`,
  };
}

/** `FILE:LINE:COLUMN` of an import, which Bun doesn't tell. */
function importPlace(specifier: string, file: string): string {
  const lines = readFileSync(file, "utf8").split("\n");
  const quoted = [`"${specifier}"`, `'${specifier}'`, `\`${specifier}\``];
  for (const [index, line] of lines.entries()) {
    const column = Math.max(...quoted.map((text) => line.indexOf(text)));
    if (column >= 0) return `${file}:${index + 1}:${column + 1}`;
  }
  return file;
}

function isResolveMessage(error: unknown): error is ResolveMessage {
  return isObject(error) && typeof error["specifier"] === "string" && typeof error["referrer"] === "string";
}

function isBuildMessage(error: unknown): error is BuildMessage {
  return isObject(error) && typeof error["message"] === "string" && isObject(error["position"]);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
