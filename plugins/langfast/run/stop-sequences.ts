/**
 * Ends a text at the first of some stop sequences, because the upstream knows none. What may be the beginning
 * of one is held back until more is known.
 */
export class StopSequences {
  /** The sequence that was found: nothing goes out after it. */
  found: string | undefined;
  #held = "";
  readonly #sequences: readonly string[];

  constructor(sequences: readonly string[]) {
    this.#sequences = sequences;
  }

  /** What of the text so far can go out, `text` being the next piece of it. */
  push(text: string): string {
    if (this.found !== undefined) return "";
    if (this.#sequences.length === 0) return text;
    const all = this.#held + text;
    const end = this.#find(all);
    const safe = this.found === undefined ? this.#safeLength(all) : end;
    this.#held = all.slice(safe);
    return all.slice(0, safe);
  }

  /** What was held back, when no more text comes. */
  end(): string {
    return this.found === undefined ? this.#held : "";
  }

  /** Where the sequence begins that is complete first, as a model would have noticed it; else the text's end. */
  #find(text: string): number {
    let first = { at: text.length, end: Infinity };
    for (const sequence of this.#sequences) {
      const at = text.indexOf(sequence);
      const end = at + sequence.length;
      if (at === -1 || end > first.end || (end === first.end && at >= first.at)) continue;
      first = { at, end };
      this.found = sequence;
    }
    return first.at;
  }

  /** The length of the text without an end that could be a sequence's beginning. */
  #safeLength(text: string): number {
    const longest = Math.max(...this.#sequences.map((sequence) => sequence.length - 1));
    for (let at = Math.max(0, text.length - longest); at < text.length; at++) {
      const tail = text.slice(at);
      if (this.#sequences.some((sequence) => sequence.startsWith(tail))) return at;
    }
    return text.length;
  }
}
