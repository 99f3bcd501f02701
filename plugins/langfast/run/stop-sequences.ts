/**
 * Ends a text at the first stop sequence, because the service has no such parameter. A possible beginning of a sequence
 * is held back until more text arrives.
 */
export class StopSequences {
  /** The sequence that was found; no text is returned after it. */
  found: string | undefined;
  #held = "";
  readonly #sequences: readonly string[];

  constructor(sequences: readonly string[]) {
    this.#sequences = sequences;
  }

  /** Adds the next piece of the text and returns what can be sent so far. */
  push(text: string): string {
    if (this.found !== undefined) return "";
    if (this.#sequences.length === 0) return text;
    const all = this.#held + text;
    const end = this.#find(all);
    const safe = this.found === undefined ? this.#safeLength(all) : end;
    this.#held = all.slice(safe);
    return all.slice(0, safe);
  }

  /** Returns the text that was held back, after the last piece. */
  end(): string {
    return this.found === undefined ? this.#held : "";
  }

  /** Returns the start of the sequence that is complete first, as a model would find it; else the text's length. */
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

  /** Returns the length of the text without a suffix that may begin a sequence. */
  #safeLength(text: string): number {
    const longest = Math.max(...this.#sequences.map((sequence) => sequence.length - 1));
    for (let at = Math.max(0, text.length - longest); at < text.length; at++) {
      const tail = text.slice(at);
      if (this.#sequences.some((sequence) => sequence.startsWith(tail))) return at;
    }
    return text.length;
  }
}
