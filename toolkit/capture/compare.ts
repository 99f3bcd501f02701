import type { WireMessage } from "./wire-messages.ts";

/** One way in which an upstream no longer says what it said. */
export interface Difference {
  readonly kind: string;
  /** The place in it; undefined when the kind as a whole is new or missing. */
  readonly path: string | undefined;
  /** The types that were recorded, as `null|string`; undefined: it is new. */
  readonly before: string | undefined;
  /** The types seen now; undefined: it is missing. */
  readonly now: string | undefined;
  /** True for a refusal that is new. */
  readonly isRefusal: boolean;
}

type Types = ReadonlySet<string>;

interface Kind {
  readonly places: ReadonlyMap<string, Types>;
  readonly isRefusal: boolean;
}

/**
 * Compares what was said by kinds, places and types; how often and in which order doesn't count. All that was
 * recorded must be there, except that of several types of one place some may do. Of what is missing or new as a
 * whole only the top is told.
 */
export function compare(recorded: readonly WireMessage[], live: readonly WireMessage[]): Difference[] {
  const before = kindsOf(recorded);
  const now = kindsOf(live);
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((kind) => {
    const [old, current] = [before.get(kind), now.get(kind)];
    if (old && current) return comparePlaces(kind, old.places, current.places);
    const isRefusal = current?.isRefusal ?? false;
    return [{ kind, path: undefined, before: old && "there", now: current && "there", isRefusal }];
  });
}

/** A difference in a line: `socket message 2 "progress" .data.delta: string → missing`. */
export function formatDifference({ kind, path, before, now }: Difference): string {
  const place = path === undefined ? kind : `${kind} ${path === "" ? "(as a whole)" : path}`;
  if (before === undefined) return path === undefined ? `${place}: new` : `${place}: new (${now})`;
  if (now === undefined) return path === undefined ? `${place}: missing` : `${place}: ${before} → missing`;
  return `${place}: ${before} → ${now}`;
}

/** Those of `second` that `first` has at the same place. */
export function commonDifferences(first: readonly Difference[], second: readonly Difference[]): Difference[] {
  return second.filter(({ kind, path }) => first.some((one) => one.kind === kind && one.path === path));
}

/** Whether differences show a change even though the answer broke off: what is missing or refused then doesn't. */
export function showsChange(differences: readonly Difference[]): boolean {
  return differences.some(({ now, isRefusal }) => now !== undefined && !isRefusal);
}

function kindsOf(said: readonly WireMessage[]): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, { readonly places: Map<string, Set<string>>; readonly isRefusal: boolean }>();
  for (const { kind, places, isRefusal } of said) {
    const known = kinds.get(kind) ?? { places: new Map<string, Set<string>>(), isRefusal };
    kinds.set(kind, known);
    for (const [path, type] of places) {
      known.places.set(path, (known.places.get(path) ?? new Set<string>()).add(type));
    }
  }
  return kinds;
}

function comparePlaces(
  kind: string,
  before: ReadonlyMap<string, Types>,
  now: ReadonlyMap<string, Types>,
): Difference[] {
  const told: string[] = [];
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((path) => {
    const [old, current] = [before.get(path), now.get(path)];
    if (old && current && current.isSubsetOf(old)) return [];
    if (told.some((parent) => isWithin(path, parent))) return [];
    told.push(path);
    return [{ kind, path, before: old && typesOf(old), now: current && typesOf(current), isRefusal: false }];
  });
}

function isWithin(path: string, parent: string): boolean {
  return path.startsWith(`${parent}.`) || path.startsWith(`${parent}[]`);
}

function typesOf(types: Types): string {
  return [...types].toSorted().join("|");
}
