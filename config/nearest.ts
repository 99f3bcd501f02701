/** Length above which names are not compared, as the work grows with the product of the lengths. */
const LONGEST = 100;

/** Returns the candidate that was most likely meant, if one is near enough to suggest. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  return nearestNames(name, candidates, 1)[0];
}

/** Returns up to `count` candidates that may have been meant, the likeliest first, equal ones in the order given. */
export function nearestNames(name: string, candidates: Iterable<string>, count: number): string[] {
  if (name === "" || name.length > LONGEST) return [];
  const asked = name.toLowerCase();
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, score: score(asked, candidate.toLowerCase()) }))
    .filter(({ score }) => score < 1)
    .toSorted((a, b) => a.score - b.score)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** Returns 0 for equal names and less than 1 for near ones. */
function score(asked: string, candidate: string): number {
  if (candidate === "" || candidate.length > LONGEST) return 1;
  const allowed = Math.max(1, Math.floor(Math.max(asked.length, candidate.length) / 3)) + 1;
  const near = distance(asked, candidate) / allowed;
  const shorter = Math.min(asked.length, candidate.length);
  const contains = shorter >= 3 && (candidate.includes(asked) || asked.includes(candidate));
  return contains ? Math.min(near, 0.9) : near;
}

/** Returns the optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours. */
function distance(a: string, b: string): number {
  let older: number[] = [];
  let old = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const exchange = at(old, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? at(older, j - 2) + 1 : exchange;
      row.push(Math.min(at(old, j) + 1, at(row, j - 1) + 1, exchange, swap));
    }
    [older, old] = [old, row];
  }
  return at(old, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
