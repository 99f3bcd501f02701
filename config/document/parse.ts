import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Alias, Document, Node, Pair, Scalar, YAMLError, YAMLMap } from "yaml";
import { ConfigDocument } from "./document.ts";
import type { ConfigNode, MapEntry, MapNode, Position } from "./document.ts";
import type { Problem } from "../problem.ts";

/** Limit of values with aliases written out, against aliases of aliases. */
const MOST_VALUES = 100_000;
const DEEPEST = 64;

/** The document of a YAML text, and the mistakes of the YAML itself. */
export interface Parsed {
  readonly document: ConfigDocument;
  readonly problems: readonly Problem[];
}

/** Parses YAML 1.2 with merge keys (`<<`); after a syntax error the document is empty. Never throws. */
export function parseYaml(file: string, text: string): Parsed {
  const lines = new LineCounter();
  const empty = new ConfigDocument(file, undefined);
  const yaml = parseDocument(text, {
    version: "1.2",
    schema: "core",
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
  });
  const broken = syntaxProblems(empty, yaml, { text, lines });
  if (broken.length > 0) return { document: empty, problems: broken };
  const builder = new NodeBuilder(file, lines);
  const root = yaml.contents && builder.build(yaml.contents, { path: [], position: { line: 1, column: 1 } });
  return { document: new ConfigDocument(file, root ?? undefined), problems: builder.problems };
}

function syntaxProblems(
  document: ConfigDocument,
  yaml: Document,
  source: { text: string; lines: LineCounter },
): Problem[] {
  const first = yaml.errors.toSorted((a, b) => a.pos[0] - b.pos[0]).slice(0, 1);
  // One syntax error makes others; only the first is worth reading. Unknown tags are warnings, and independent.
  const problems = [...first, ...(first.length > 0 ? [] : yaml.warnings)].map((error) => {
    const position = positionAt(source.lines, error.pos[0]);
    const line = source.text.split("\n")[position.line - 1] ?? "";
    // Neither the line nor any other text of the file is repeated, because a secret may stand there.
    const message = `not valid YAML: ${syntaxErrorText(error)}`;
    return document.problem([], { message, hint: hintFor(error, line), position });
  });
  if (problems.length === 0 && yaml.directives?.yaml.version !== "1.2") {
    const hint = "remove the %YAML line; the file is read as YAML 1.2";
    problems.push(document.problem([], { message: "another version of YAML", hint }));
  }
  return problems;
}

interface NodeContext {
  readonly path: readonly (string | number)[];
  /** The position at which an empty value is reported. */
  readonly position: Position;
}

/** Builds nodes from the parser's tree, with aliases and merges resolved and keys checked. */
class NodeBuilder {
  readonly problems: Problem[] = [];
  readonly #document: ConfigDocument;
  readonly #lines: LineCounter;
  /** Anchors in the order of the file; `undefined` while what they name is still being built. */
  readonly #anchors = new Map<string, ConfigNode | undefined>();
  readonly #sizes = new WeakMap<ConfigNode, number>();
  #full = false;

  constructor(file: string, lines: LineCounter) {
    this.#document = new ConfigDocument(file, undefined);
    this.#lines = lines;
  }

  build(node: Node | null, context: NodeContext): ConfigNode {
    if (isAlias(node)) return this.#alias(node, context);
    if (context.path.length > DEEPEST) return this.#invalid(context, { message: "nested too deeply" });
    const anchor = node && "anchor" in node ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const built = this.#measure(this.#plain(node, context), context);
    if (anchor !== undefined) this.#anchors.set(anchor, built);
    return built;
  }

  #plain(node: Node | null, context: NodeContext): ConfigNode {
    const start = this.#positionOf(node, context.position);
    if (isMap(node)) return this.#map(node, { ...context, position: start });
    if (isSeq(node)) {
      const items = node.items.map((item, index) =>
        this.build(item as Node | null, { path: [...context.path, index], position: start }),
      );
      return { kind: "list", position: start, items };
    }
    if (!isScalar(node)) return { kind: "scalar", position: context.position, value: null, quoted: false };
    const empty = node.value === null && (node.source ?? "") === "";
    const value = node.value as string | number | boolean | null;
    const quoted = node.type !== undefined && node.type !== "PLAIN";
    return { kind: "scalar", position: empty ? context.position : start, value, quoted };
  }

  #map(node: YAMLMap, context: NodeContext): MapNode {
    const entries = new Map<string, MapEntry>();
    const merges: MapNode[] = [];
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const position = this.#positionOf(pair.key, context.position);
      const key = this.#key(pair.key, { path: context.path, position });
      if (key === undefined) continue;
      const inner = { path: [...context.path, key], position };
      if (isScalar(pair.key) && (pair.key as Scalar).type === "PLAIN" && pair.key.value === "<<")
        merges.push(...this.#merge(this.build(pair.value, inner), inner));
      else this.#addEntry(entries, { key, value: this.build(pair.value, inner), ...inner });
    }
    for (const [key, entry] of merges.flatMap((merged) => [...merged.entries])) {
      if (!entries.has(key)) entries.set(key, entry);
    }
    return { kind: "map", position: context.position, entries };
  }

  #addEntry(entries: Map<string, MapEntry>, entry: NodeContext & { key: string; value: ConfigNode }): void {
    const first = entries.get(entry.key);
    if (first) {
      const message = `given twice; the first is in line ${first.key.line}`;
      this.#report(entry, { message, hint: "remove one of them" });
    } else if (entry.key === "__proto__") {
      this.#report(entry, { message: "no key may be called __proto__" });
    } else {
      entries.set(entry.key, { key: entry.position, value: entry.value });
    }
  }

  #key(node: Node | null, context: NodeContext): string | undefined {
    if (isScalar(node) && typeof node.value === "string") return node.value;
    const kind = isScalar(node) && node.value !== null ? `a ${typeof node.value}` : "no text";
    this.#report(context, { message: `a key here is ${kind}`, hint: "put the key in quotes" });
    return undefined;
  }

  #merge(value: ConfigNode, context: NodeContext): MapNode[] {
    const maps = value.kind === "list" ? value.items : [value];
    const wrong = maps.some((map) => map.kind !== "map" && !(map.kind === "scalar" && map.invalid));
    if (wrong) this.#report(context, { message: "<< takes an alias of a map, or a list of them" });
    return maps.filter((map) => map.kind === "map");
  }

  #alias(node: Alias, context: NodeContext): ConfigNode {
    const named = this.#anchors.get(node.source);
    const at = { ...context, position: this.#positionOf(node, context.position) };
    if (named) return named;
    // The name isn't repeated: it may be a secret that begins with * and lacks its quotes.
    if (this.#anchors.has(node.source)) {
      return this.#invalid(at, { message: "an alias (*) stands inside what it names" });
    }
    const hint = 'a text that begins with * needs quotes: "*"';
    return this.#invalid(at, { message: "an alias (*) of a name that no anchor (&) above has", hint });
  }

  /** Counts the values of a node with all its aliases written out, and replaces a node that has too many. */
  #measure(node: ConfigNode, context: NodeContext): ConfigNode {
    const size = 1 + childrenOf(node).reduce((sum, part) => sum + (this.#sizes.get(part) ?? 1), 0);
    if (size > MOST_VALUES) {
      if (!this.#full)
        this.#report(context, { message: `more than ${MOST_VALUES} values, aliases written out` });
      this.#full = true;
      return { kind: "scalar", position: node.position, value: null, quoted: false, invalid: true };
    }
    this.#sizes.set(node, size);
    return node;
  }

  #invalid(context: NodeContext, what: { message: string; hint?: string }): ConfigNode {
    this.#report(context, what);
    return { kind: "scalar", position: context.position, value: null, quoted: false, invalid: true };
  }

  #report(context: NodeContext, what: { message: string; hint?: string }): void {
    this.problems.push(this.#document.problem(context.path, { ...what, position: context.position }));
  }

  #positionOf(node: Node | null, otherwise: Position): Position {
    const start = node?.range?.[0];
    return start === undefined ? otherwise : positionAt(this.#lines, start);
  }
}

function childrenOf(node: ConfigNode): readonly ConfigNode[] {
  if (node.kind === "scalar") return [];
  return node.kind === "list" ? node.items : [...node.entries.values()].map(({ value }) => value);
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function syntaxErrorText(error: YAMLError): string {
  if (error.code === "MULTIPLE_DOCS") return "the file has more than one document";
  if (error.code === "TAB_AS_INDENT") return "a tab is used to indent";
  if (error.code === "BAD_DQ_ESCAPE") return 'unknown escape sequence after \\ in a "…" text';
  if (error.code === "TAG_RESOLVE_FAILED") return "unknown tag (a word that begins with !)";
  if (error.code === "RESOURCE_EXHAUSTION") return "nested too deeply";
  // What follows a colon in the parser's messages is text from the file.
  const [words = ""] = error.message.split(/: |: ?$/);
  return words.charAt(0).toLowerCase() + words.slice(1);
}

function hintFor(error: YAMLError, line: string): string | undefined {
  if (error.code === "MULTIPLE_DOCS") return "keep one, and remove the line ---";
  if (error.code === "TAB_AS_INDENT") return "indent with spaces";
  if (error.code === "BAD_DQ_ESCAPE") return "write \\\\ for a backslash, or use '…' instead of \"…\"";
  if (error.code === "BAD_ALIAS") return 'a value that begins with * needs quotes: "*"';
  if (error.code === "BAD_SCALAR_START") return "put the value in quotes";
  if (error.code === "TAG_RESOLVE_FAILED") return "a value that begins with ! needs quotes";
  if (/[{[].*\$\{/.test(line)) return 'inside { } and [ ] an expansion needs quotes: "${NAME}"';
  if (/compact mappings|implicit keys/i.test(error.message)) {
    return "check the indentation; a value that contains a colon and a space needs quotes";
  }
  if (/implicit key|indent|same (column|level)/i.test(error.message)) {
    return "check the indentation of this line and the one before";
  }
  return undefined;
}
