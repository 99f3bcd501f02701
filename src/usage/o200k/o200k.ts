import { readFileSync } from "node:fs";

const CONTRACTION = "(?:'(?:[sS]|[dD]|[mM]|[tT]|[lL][lL]|[vV][eE]|[rR][eE]))?";
/** Splits text into words, each of which is encoded for itself. */
const WORDS = new RegExp(
  [
    String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+${CONTRACTION}`,
    String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*${CONTRACTION}`,
    String.raw`\p{N}{1,3}`,
    String.raw` ?[^\s\p{L}\p{N}]+[\r\n/]*`,
    String.raw`\s*[\r\n]+`,
    String.raw`\s+(?!\S)`,
    String.raw`\s+`,
  ].join("|"),
  "gu",
);

/** Counts tokens as OpenAI's encoding o200k_base does. Special tokens in a text count as the text they are. */
export class O200k {
  /** Rank by token. The bytes of a token are the character codes of its key. */
  readonly #ranks = new Map<string, number>();

  /** Reads the table, which holds each token in the order of ranks: its length in one byte, then its bytes. */
  constructor() {
    const table = readFileSync(new URL("o200k_base.bin", import.meta.url));
    for (let start = 0, rank = 0; start < table.length; rank++) {
      const end = start + 1 + table.readUInt8(start);
      this.#ranks.set(table.toString("latin1", start + 1, end), rank);
      start = end;
    }
  }

  /** Returns the number of tokens. Takes time quadratic in the length of a word. */
  count(text: string): number {
    let tokens = 0;
    for (const [word] of text.matchAll(WORDS))
      tokens += this.#countWord(Buffer.from(word).toString("latin1"));
    return tokens;
  }

  /** Merges the two neighbours of the lowest rank, the leftmost first, until no two make a token. */
  #countWord(word: string): number {
    if (this.#ranks.has(word)) return 1;
    // Where each part begins, and the end of the last.
    const bounds = Array.from({ length: word.length + 1 }, (_, index) => index);
    const ranks = bounds.slice(2).map((end) => this.#rankOf(word.slice(end - 2, end)));
    for (;;) {
      const lowest = Math.min(...ranks);
      if (lowest === Infinity) return bounds.length - 1;
      const pair = ranks.indexOf(lowest);
      bounds.splice(pair + 1, 1);
      ranks.splice(pair, 1);
      for (const changed of [pair - 1, pair]) {
        if (ranks[changed] === undefined) continue;
        ranks[changed] = this.#rankOf(word.slice(bounds[changed], bounds[changed + 2]));
      }
    }
  }

  #rankOf(bytes: string): number {
    return this.#ranks.get(bytes) ?? Infinity;
  }
}
