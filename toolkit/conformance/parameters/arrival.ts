/** Whether something of a field can be seen in what an upstream was asked. */
export type Arrival = "arrived" | "dropped" | "unclear";

/**
 * Tells it from three texts: two requests without the field, equal but for what numbers itself, and one with it. What
 * differs between the first two is no sign of the field: of such lines only the shape is compared.
 */
export function arrivalIn(request: string, [first, second]: readonly [string, string]): Arrival {
  if (first === second) return request === first ? "dropped" : "arrived";
  const [one, other, own] = [linesOf(first), linesOf(second), linesOf(request)];
  const steady = one.intersection(other);
  if (!steady.isSubsetOf(own)) return "arrived";
  const [shapes, others] = [shapesOf(one.difference(steady)), shapesOf(other.difference(steady))];
  if (shapesOf(own.difference(steady)).isSubsetOf(shapes.union(others))) return "dropped";
  // A shape that is new shows the field only where equal requests have equal shapes.
  return shapes.symmetricDifference(others).size === 0 ? "arrived" : "unclear";
}

function linesOf(text: string): Set<string> {
  return new Set(text.split("\n"));
}

/** Tickets, counters and random ids have digits; the names of fields stay. */
function shapesOf(lines: Set<string>): Set<string> {
  return new Set([...lines].map((line) => line.replaceAll(/[\w-]*\d[\w-]*/g, "#")));
}
