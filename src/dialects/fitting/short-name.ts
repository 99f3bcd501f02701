/** The longest name that chat completions take for a function. */
const MAX_NAME = 64;

/**
 * Returns the name by which an upstream is told of a tool: a longer one is cut, and ends in its hash. Depends on nothing but
 * the name, so that a conversation's later requests have the same one.
 */
export function shortName(name: string): string {
  if (name.length <= MAX_NAME) return name;
  const hash = Bun.hash(name).toString(36);
  return `${name.slice(0, MAX_NAME - hash.length - 1)}_${hash}`;
}
