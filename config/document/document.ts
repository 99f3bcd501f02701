import { formatPath } from "../problem.ts";
import type { Problem } from "../problem.ts";

/** The way to a value in a document: the keys and list positions that lead to it. */
export type Path = readonly (string | number)[];

/** A line and a column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A value of the file with the position where it stands. */
export type ConfigNode = ScalarNode | ListNode | MapNode;

export interface ScalarNode {
  readonly kind: "scalar";
  readonly position: Position;
  readonly value: string | number | boolean | null;
  /** Written as a text: in quotes or as a block. */
  readonly quoted: boolean;
  /** Where `value` came out of an expansion. */
  readonly expanded?: ExpansionOrigin;
  /** A problem was reported for it; what follows from that needs no report. */
  readonly invalid?: boolean;
}

export interface ExpansionOrigin {
  /** As it stands in the file. */
  readonly source: string;
  /** The names whose values are in it. */
  readonly variables: readonly string[];
}

export interface ListNode {
  readonly kind: "list";
  readonly position: Position;
  readonly items: readonly ConfigNode[];
}

export interface MapNode {
  readonly kind: "map";
  readonly position: Position;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  readonly key: Position;
  readonly value: ConfigNode;
}

const START: Position = { line: 1, column: 1 };

/** A configuration file as it was read: for each value where it stands and where it came from. */
export class ConfigDocument {
  /** As the user named it. */
  readonly file: string;
  /** `undefined` if the file could not be read as YAML. */
  readonly root: ConfigNode | undefined;

  constructor(file: string, root: ConfigNode | undefined) {
    this.file = file;
    this.root = root;
  }

  /** What stands at a path, if anything does. */
  node(path: Path): ConfigNode | undefined {
    return path.reduce<ConfigNode | undefined>((node, step) => childOf(node, step)?.value, this.root);
  }

  /** Where the value at a path stands; of a missing one, where the nearest thing around it begins. */
  valuePosition(path: Path): Position {
    return this.node(path)?.position ?? (path.length === 0 ? START : this.keyPosition(path.slice(0, -1)));
  }

  /** Where the key at a path stands; of a list's item the item, of a missing one what is around it. */
  keyPosition(path: Path): Position {
    const last = path.at(-1);
    if (last === undefined) return START;
    const parent = path.slice(0, -1);
    return childOf(this.node(parent), last)?.key ?? this.keyPosition(parent);
  }

  /** A problem with the value at a path; `position` says otherwise where it is not the value that is wrong. */
  problem(path: Path, what: { message: string; hint?: string | undefined; position?: Position }): Problem {
    const { line, column } = what.position ?? this.valuePosition(path);
    const hint = what.hint === undefined ? {} : { hint: what.hint };
    return { file: this.file, line, column, path: formatPath(path), message: what.message, ...hint };
  }

  /** True if a problem was already reported for the value at a path or for one inside it. */
  isInvalid(path: Path): boolean {
    const node = this.node(path);
    return node !== undefined && hasInvalid(node);
  }
}

/** The plain value of a node: objects, arrays, strings, numbers, booleans and null. */
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
