/** Code units by which a secret's beginning is told. */
const BEGINNING = 4;
const MARK_BITS = 16;

/**
 * Finds those of any number of secrets that stand in a text, in one pass: each line of the log is searched for all
 * keys of all clients, and a search for each of them would make every request the dearer the more keys there are.
 */
export class SecretIndex {
  /** By the hash of how they begin. */
  readonly #secrets = new Map<number, Set<string>>();
  /** Which hashes there are, or were, by a few of their bits: at nearly each place of a text that settles it. */
  readonly #marks = new Uint8Array(2 ** MARK_BITS);

  /** A secret has at least `BEGINNING` code units. */
  add(secret: string): void {
    const hash = beginningOf(secret);
    const alike = this.#secrets.get(hash);
    if (alike) alike.add(secret);
    else this.#secrets.set(hash, new Set([secret]));
    this.#marks[markOf(hash)] = 1;
  }

  delete(secret: string): void {
    const hash = beginningOf(secret);
    const alike = this.#secrets.get(hash);
    alike?.delete(secret);
    if (alike?.size === 0) this.#secrets.delete(hash);
  }

  /** Those in the text, the longest first: one may be the beginning of another. */
  in(text: string): readonly string[] {
    const found = new Set<string>();
    // Not by `this` at each of its characters: that would double what a line of the log costs here.
    const marks = this.#marks;
    let hash = 0;
    for (let at = 0; at < text.length; at++) {
      hash = next(hash, text.charCodeAt(at));
      if (marks[markOf(hash)] === 1) this.#findAt(text, at + 1 - BEGINNING, { hash, found });
    }
    return [...found].sort((one, other) => other.length - one.length);
  }

  #findAt(text: string, from: number, { hash, found }: { hash: number; found: Set<string> }): void {
    for (const secret of this.#secrets.get(hash) ?? []) if (text.startsWith(secret, from)) found.add(secret);
  }
}

function beginningOf(secret: string): number {
  let hash = 0;
  for (let at = 0; at < BEGINNING; at++) hash = next(hash, secret.charCodeAt(at));
  return hash;
}

/** The hash of the last four code units: of each older one nothing is left in 32 bits. */
function next(hash: number, unit: number): number {
  return (hash << 8) ^ (unit & 0xff);
}

function markOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> (32 - MARK_BITS);
}
