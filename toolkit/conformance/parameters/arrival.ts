/** Whether a field can be recognized in the upstream's request. */
export type Arrival = "arrived" | "dropped" | "unclear";

/**
 * Compares three texts: two equal requests without the field, and one with it. Lines that differ between the first
 * two hold generated values, so only their shape is compared.
 */
export function arrivalIn(request: string, [first, second]: readonly [string, string]): Arrival {
  if (first === second) return request === first ? "dropped" : "arrived";
  const [one, other, own] = [linesOf(first), linesOf(second), linesOf(request)];
  const steady = one.intersection(other);
  if (!steady.isSubsetOf(own)) return "arrived";
  const [shapes, others] = [shapesOf(one.difference(steady)), shapesOf(other.difference(steady))];
  if (shapesOf(own.difference(steady)).isSubsetOf(shapes.union(others))) return "dropped";
  // A new shape shows the field only if equal requests have equal shapes.
  return shapes.symmetricDifference(others).size === 0 ? "arrived" : "unclear";
}

function linesOf(text: string): Set<string> {
  return new Set(text.split("\n"));
}

/** Replaces words with digits (tickets, counters, random ids), and keeps the names of fields. */
function shapesOf(lines: Set<string>): Set<string> {
  return new Set([...lines].map((line) => line.replaceAll(/[\w-]*\d[\w-]*/g, "#")));
}
