import type { Problem } from "../problem.ts";
import { ConfigDocument } from "./document.ts";
import type { ConfigNode, Path, ScalarNode } from "./document.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The result of expanding a text. */
export interface Expansion {
  readonly text: string;
  /** The variables whose values are in `text`. */
  readonly variables: readonly string[];
  /** The mistakes; `text` can be relied on only when there are none. */
  readonly mistakes: readonly ExpansionMistake[];
}

/** A mistake in an expansion. */
export interface ExpansionMistake {
  readonly message: string;
  readonly hint: string;
}

const BODY = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:[-+])([\s\S]*))?$/;

/** Returns whether `expand` would change the text or report a mistake in it. */
export function isExpandable(text: string): boolean {
  return text.includes("${");
}

/**
 * Puts environment variables into a text: `${NAME}`, `${NAME:-text if unset or empty}`, `${NAME:+text if set and not
 * empty}`; `$${` is a plain `${`. Nothing else that begins with a dollar sign is touched, and what was put in is not
 * expanded again.
 */
export function expand(text: string, environment: Environment): Expansion {
  const pieces: string[] = [];
  const variables = new Set<string>();
  const mistakes: ExpansionMistake[] = [];
  for (const token of tokens(text)) {
    if (!("body" in token)) {
      pieces.push(token.plain);
      continue;
    }
    const piece = substitute(token.body, environment);
    if ("message" in piece) mistakes.push(piece);
    else pieces.push(piece.text);
    if ("variable" in piece) variables.add(piece.variable);
  }
  return { text: pieces.join(""), variables: [...variables], mistakes };
}

/** Yields plain text and the bodies of `${…}`; a body without an end is `undefined`. */
function* tokens(text: string): Generator<{ plain: string } | { body: string | undefined }> {
  let from = 0;
  for (;;) {
    const start = text.indexOf("${", from);
    if (start === -1) return yield { plain: text.slice(from) };
    if (start > from && text[start - 1] === "$") {
      yield { plain: `${text.slice(from, start - 1)}\${` };
      from = start + 2;
      continue;
    }
    yield { plain: text.slice(from, start) };
    const end = text.indexOf("}", start);
    if (end === -1) return yield { body: undefined };
    yield { body: text.slice(start + 2, end) };
    from = end + 1;
  }
}

type Piece =
  | { readonly text: string; readonly variable: string }
  | { readonly text: string }
  | ExpansionMistake;

function substitute(body: string | undefined, environment: Environment): Piece {
  if (body === undefined) {
    return { message: "${ has no closing }", hint: "write ${NAME}, or $${ for a plain ${" };
  }
  const [, name, operator, words = ""] = BODY.exec(body) ?? [];
  if (name === undefined) {
    return {
      message: "what stands between ${ and } can't be understood",
      hint: "write ${NAME}, ${NAME:-default} or ${NAME:+text}, or $${ for a plain ${",
    };
  }
  if (isExpandable(words)) {
    return {
      message: `\${${name}…} has another \${ inside`,
      hint: "an expansion can't stand inside another",
    };
  }
  // A name such as `constructor` must not find what every object inherits.
  const held = Object.hasOwn(environment, name) ? environment[name] : undefined;
  if (operator === ":+") return { text: held ? words : "" };
  if (operator === ":-") return held ? { text: held, variable: name } : { text: words };
  if (held !== undefined) return { text: held, variable: name };
  return {
    message: `${name} is not set in the environment`,
    hint: `set ${name}, in .env for example, or give it a default: \${${name}:-default}`,
  };
}

/** The result of expanding a document. */
export interface ExpandedDocument {
  readonly document: ConfigDocument;
  readonly problems: readonly Problem[];
}

/**
 * Expands every text of a document, keys excepted, and leaves the options of disabled upstreams as they are: what
 * they need may well be missing.
 */
export function expandDocument(document: ConfigDocument, environment: Environment): ExpandedDocument {
  if (document.root === undefined) return { document, problems: [] };
  const problems: Problem[] = [];
  const visit = (node: ConfigNode, path: Path): ConfigNode => {
    if (node.kind === "scalar")
      return expandScalar(node, environment, (what) => problems.push(document.problem(path, what)));
    if (isSkipped(document, path, environment)) return node;
    if (node.kind === "list")
      return { ...node, items: node.items.map((item, index) => visit(item, [...path, index])) };
    const entries = [...node.entries].map(([key, entry]) => {
      return [key, { key: entry.key, value: visit(entry.value, [...path, key]) }] as const;
    });
    return { ...node, entries: new Map(entries) };
  };
  const root = visit(document.root, []);
  return { document: new ConfigDocument(document.file, root), problems };
}

type Report = (what: { message: string; hint: string }) => void;

function expandScalar(node: ScalarNode, environment: Environment, report: Report): ScalarNode {
  if (typeof node.value !== "string" || !isExpandable(node.value)) return node;
  const { text, variables, mistakes } = expand(node.value, environment);
  for (const mistake of mistakes) report(mistake);
  if (mistakes.length > 0) return { ...node, invalid: true };
  return { ...node, value: text, expanded: { source: node.value, variables } };
}

function isSkipped(document: ConfigDocument, path: Path, environment: Environment): boolean {
  const [section, upstream, key] = path;
  if (section !== "upstreams" || key !== "options" || path.length !== 3) return false;
  const enabled = document.node(["upstreams", upstream ?? "", "enabled"]);
  if (enabled?.kind !== "scalar") return false;
  const { value } = expandScalar(enabled, environment, () => {});
  return value === false || value === null || value === "" || value === "false";
}
