import { join } from "node:path";
import type { Declarations } from "./declarations.ts";

/** A name that an entry of the package exports. */
export interface Exported {
  readonly name: string;
  /** What its doc comment says; empty if it has none. */
  readonly comment: string;
  /** Its declaration, members and their comments included; undefined for what comes from another package. */
  readonly code: string | undefined;
  /** The package it is re-exported from. */
  readonly package: string | undefined;
}

/** What a file exports, in alphabetical order, values and types together. Throws for a name that isn't declared. */
export function exportedBy(file: string, declarations: Declarations): Exported[] {
  const names = [...reExports(textOf(file, declarations))].flatMap(({ names: some }) => some);
  return names
    .map((name) => find(name, file, declarations))
    .toSorted((one, other) => one.name.localeCompare(other.name, "en"));
}

interface ReExport {
  readonly names: readonly string[];
  /** Undefined for what the file has imported itself. */
  readonly from: string | undefined;
}

const RE_EXPORT = /^export (?:type )?\{([^}]*)\}(?: from "([^"]+)")?;$/gm;

function reExports(text: string): ReExport[] {
  return [...text.matchAll(RE_EXPORT)].map(([, names = "", from]) => ({
    names: names
      .split(",")
      .map((name) => name.replace(/^\s*type /, "").trim())
      .filter(Boolean),
    from,
  }));
}

function find(name: string, file: string, declarations: Declarations): Exported {
  const text = textOf(file, declarations);
  const declared = declaration(name, text);
  if (declared) return { name, ...declared, package: undefined };
  const via = reExports(text).find(({ names }) => names.includes(name));
  const from = via?.from ?? importedFrom(name, text);
  if (from === undefined) throw new Error(`${file} exports ${name}, and nothing declares it`);
  if (!from.startsWith(".")) return { name, comment: "", code: undefined, package: from };
  return find(name, join(file, "..", from).replace(/\.ts$/, ""), declarations);
}

function importedFrom(name: string, text: string): string | undefined {
  return new RegExp(`^import (?:type )?\\{[^}]*\\b${name}\\b[^}]*\\} from "([^"]+)";$`, "m").exec(text)?.[1];
}

function textOf(file: string, declarations: Declarations): string {
  const text = declarations.get(file);
  if (text === undefined) throw new Error(`there are no declarations of ${file}`);
  return text;
}

/** The declarations of a name, overloads included, with the comment before the first one. */
function declaration(name: string, text: string): { comment: string; code: string } | undefined {
  const isIt = new RegExp(`^export (?:declare )?(?:abstract )?\\w+ ${name}\\b`);
  const own = statements(text).filter(({ code }) => isIt.test(code));
  if (own.length === 0) return undefined;
  return { comment: wordsOf(own[0]?.comment ?? ""), code: own.map(({ code }) => code).join("\n") };
}

interface Statement {
  readonly comment: string;
  readonly code: string;
}

/** A file's statements: the compiler begins each, and its comment, at the left edge, and ends it there, too. */
function statements(text: string): Statement[] {
  const found = text.matchAll(
    /^(\/\*\*[^]*?\*\/\n)?((?:export|declare|import|interface|type) [^]*?)(?=\n[/a-z]|\n?$(?![^]))/gm,
  );
  return [...found].map(([, comment = "", code = ""]) => ({ comment, code }));
}

/** A doc comment's words, its lines put together. */
function wordsOf(comment: string): string {
  return comment
    .replaceAll(/^\/\*\*|\*\/\n?$/g, "")
    .replaceAll(/^ *\* ?/gm, "")
    .trim();
}
