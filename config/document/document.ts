import { formatPath } from "../problem.ts";
import type { Problem } from "../problem.ts";

/** The path of a value in a document: the keys and list positions that lead to it. */
export type Path = readonly (string | number)[];

/** A line and a column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A value of the file with its position. */
export type ConfigNode = ScalarNode | ListNode | MapNode;

/** A text, number, boolean or null. */
export interface ScalarNode {
  readonly kind: "scalar";
  readonly position: Position;
  readonly value: string | number | boolean | null;
  /** Whether it is written as a text: in quotes or as a block. */
  readonly quoted: boolean;
  /** The expansion that gave `value`, if any. */
  readonly expanded?: ExpansionOrigin;
  /** Whether a problem was reported for it already, so that consequences need no report. */
  readonly invalid?: boolean;
}

/** The expansion that a value came from. */
export interface ExpansionOrigin {
  /** The text in the file. */
  readonly source: string;
  /** The variables whose values are in it. */
  readonly variables: readonly string[];
}

/** A list. */
export interface ListNode {
  readonly kind: "list";
  readonly position: Position;
  readonly items: readonly ConfigNode[];
}

/** A map, with its keys in the order of the file. */
export interface MapNode {
  readonly kind: "map";
  readonly position: Position;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

/** The position of a key of a map, and its value. */
export interface MapEntry {
  readonly key: Position;
  readonly value: ConfigNode;
}

const START: Position = { line: 1, column: 1 };

/** A configuration file as it was read, with the position and the origin of each value. */
export class ConfigDocument {
  /** The path of the file as the user wrote it. */
  readonly file: string;
  /** `undefined` if the file could not be read as YAML. */
  readonly root: ConfigNode | undefined;

  constructor(file: string, root: ConfigNode | undefined) {
    this.file = file;
    this.root = root;
  }

  /** Returns the node at a path, if there is one. */
  node(path: Path): ConfigNode | undefined {
    return path.reduce<ConfigNode | undefined>((node, step) => childOf(node, step)?.value, this.root);
  }

  /** Returns the position of the value at a path; of a missing one, that of the nearest node around it. */
  valuePosition(path: Path): Position {
    return this.node(path)?.position ?? (path.length === 0 ? START : this.keyPosition(path.slice(0, -1)));
  }

  /** Returns the position of the key at a path; of a list's item, that of the item; of a missing one, that around it. */
  keyPosition(path: Path): Position {
    const last = path.at(-1);
    if (last === undefined) return START;
    const parent = path.slice(0, -1);
    return childOf(this.node(parent), last)?.key ?? this.keyPosition(parent);
  }

  /** Makes a problem of the value at a path; `position` is given where something else than the value is wrong. */
  problem(path: Path, what: { message: string; hint?: string | undefined; position?: Position }): Problem {
    const { line, column } = what.position ?? this.valuePosition(path);
    const hint = what.hint === undefined ? {} : { hint: what.hint };
    return { file: this.file, line, column, path: formatPath(path), message: what.message, ...hint };
  }

  /** Returns whether a problem was already reported for the value at a path or for one inside it. */
  isInvalid(path: Path): boolean {
    const node = this.node(path);
    return node !== undefined && hasInvalid(node);
  }
}

/** Returns the plain value of a node: objects, arrays, strings, numbers, booleans and null. */
export function toValue(node: ConfigNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toValue);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toValue(entry.value)]));
}

function childOf(node: ConfigNode | undefined, step: string | number): MapEntry | undefined {
  if (node?.kind === "map" && typeof step === "string") return node.entries.get(step);
  if (node?.kind !== "list" || typeof step !== "number") return undefined;
  const item = node.items[step];
  return item && { key: item.position, value: item };
}

function hasInvalid(node: ConfigNode): boolean {
  if (node.kind === "scalar") return node.invalid === true;
  const inside = node.kind === "list" ? node.items : [...node.entries.values()].map(({ value }) => value);
  return inside.some(hasInvalid);
}
