import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { packageFolder, packageName } from "./locate.ts";
import { SPECIFIERS } from "./specifiers.ts";
import { thrownAt } from "./thrown-at.ts";

/** An error while the modules of a plugin were loaded. */
export interface ImportProblem {
  /** Begins with `FILE:LINE:COLUMN:` if the location is known. */
  readonly message: string;
  readonly hint?: string;
}

/** Converts a failed import to a message with file and line, and a hint if the remedy is known. */
export function importProblem(error: unknown): ImportProblem {
  // Later syntax errors mostly follow from the first.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (first instanceof ResolveMessage) return unresolved(first);
  if (first instanceof BuildMessage && first.position) {
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

/** Finds the location of an import in its file as `FILE:LINE:COLUMN`; Bun's error has only the file. */
function importPlace(specifier: string, file: string): string {
  const lines = readFileSync(file, "utf8").split("\n");
  const quoted = [`"${specifier}"`, `'${specifier}'`, `\`${specifier}\``];
  for (const [index, line] of lines.entries()) {
    const column = Math.max(...quoted.map((text) => line.indexOf(text)));
    if (column >= 0) return `${file}:${index + 1}:${column + 1}`;
  }
  return file;
}
