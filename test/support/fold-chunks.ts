/**
 * A whole answer out of a stream's chunks, however they cut it: members are joined at every depth, listed things
 * that have an `index` by it.
 * @module
 */
type Value = unknown;
type Members = Record<string, Value>;

/** Texts that name something: said again they are not said twice. */
const NAMES = new Set([
  "id",
  "object",
  "model",
  "role",
  "type",
  "name",
  "finish_reason",
  "system_fingerprint",
  "service_tier",
]);

/** All that the chunks say, as one object. */
export function foldChunks(chunks: readonly object[]): Members {
  return chunks.reduce<Members>((whole, chunk) => merged(whole, chunk as Members), {});
}

function merged(before: Members, more: Members): Members {
  const whole = { ...before };
  for (const [name, value] of Object.entries(more)) whole[name] = joined(name, before[name], value);
  return whole;
}

function joined(name: string, before: Value, more: Value): Value {
  if (before === undefined || before === null) return Array.isArray(more) ? joinedLists([], more) : more;
  if (more === undefined || more === null) return before;
  if (Array.isArray(before) && Array.isArray(more)) return joinedLists(before, more);
  if (isMembers(before) && isMembers(more)) return merged(before, more);
  if (typeof before === "string" && typeof more === "string" && !NAMES.has(name)) return before + more;
  return more;
}

function joinedLists(before: readonly Value[], more: readonly Value[]): Value[] {
  const whole = [...before];
  for (const each of more) {
    const index = isMembers(each) ? each["index"] : undefined;
    const place = whole.findIndex(
      (other) => index !== undefined && isMembers(other) && other["index"] === index,
    );
    if (place < 0) whole.push(each);
    else whole[place] = merged(whole[place] as Members, each as Members);
  }
  return whole.toSorted((a, b) => indexOf(a) - indexOf(b));
}

function indexOf(value: Value): number {
  const index = isMembers(value) ? value["index"] : undefined;
  return typeof index === "number" ? index : 0;
}

function isMembers(value: Value): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
