import type { WireMessage } from "./wire-messages.ts";

/** A difference between recorded and current messages. */
export interface Difference {
  readonly kind: string;
  /** The path within the message; undefined when the kind as a whole is new or missing. */
  readonly path: string | undefined;
  /** The recorded types, such as `null|string`; undefined when the path is new. */
  readonly before: string | undefined;
  /** The current types; undefined when the path is missing. */
  readonly now: string | undefined;
  /** True for a new error response. */
  readonly isRefusal: boolean;
}

type Types = ReadonlySet<string>;

interface Kind {
  readonly places: ReadonlyMap<string, Types>;
  readonly isRefusal: boolean;
}

/**
 * Compares messages by kind, path and type, regardless of count and order. Everything recorded must be there; where
 * several types were recorded for a path, some of them suffice. Of a missing or new subtree only the top is reported.
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

/** Formats a difference: `socket message 2 "progress" .data.delta: string → missing`. */
export function formatDifference({ kind, path, before, now }: Difference): string {
  const place = path === undefined ? kind : `${kind} ${path === "" ? "(as a whole)" : path}`;
  if (before === undefined) return path === undefined ? `${place}: new` : `${place}: new (${now})`;
  if (now === undefined) return path === undefined ? `${place}: missing` : `${place}: ${before} → missing`;
  return `${place}: ${before} → ${now}`;
}

/** Returns the differences of `second` whose path `first` has, too. */
export function commonDifferences(first: readonly Difference[], second: readonly Difference[]): Difference[] {
  return second.filter(({ kind, path }) => first.some((one) => one.kind === kind && one.path === path));
}

/** Returns whether differences prove a change although the call failed: missing parts and error responses don't. */
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
    if (told.some((parent) => path.startsWith(`${parent}.`) || path.startsWith(`${parent}[]`))) return [];
    told.push(path);
    return [{ kind, path, before: old && typesOf(old), now: current && typesOf(current), isRefusal: false }];
  });
}

function typesOf(types: Types): string {
  return [...types].toSorted().join("|");
}
