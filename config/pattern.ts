/**
 * Returns whether a name matches a pattern, in which `*` stands for any number of characters, `/` included. The time is
 * at worst proportional to the product of the lengths.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let [at, from] = [0, 0];
  let star: { readonly at: number; from: number } | undefined;
  while (from < name.length) {
    if (pattern[at] === "*") {
      star = { at: at++, from };
    } else if (at < pattern.length && pattern[at] === name[from]) {
      at++;
      from++;
    } else if (star) {
      // The last star takes one character more; stars before it need not be tried again.
      star.from++;
      at = star.at + 1;
      from = star.from;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
