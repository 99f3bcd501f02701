import { ConfigDocument } from "./document.ts";
import type { ConfigNode, ScalarNode, Path } from "./document.ts";
import { expand, isExpandable } from "./expand.ts";
import type { Environment } from "./expand.ts";
import type { Problem } from "../problem.ts";

/** A document with the environment put in. */
export interface Expanded {
  readonly document: ConfigDocument;
  readonly problems: readonly Problem[];
}

/**
 * Expands every text of a document, keys excepted, and leaves the options of disabled upstreams as they are: what
 * they need may well be missing.
 */
export function expandDocument(document: ConfigDocument, environment: Environment): Expanded {
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
  if (mistakes.length > 0) return { ...node, broken: true };
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
