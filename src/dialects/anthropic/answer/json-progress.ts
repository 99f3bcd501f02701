const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const OPENING = new Set([0x7b, 0x5b]);
const LAST_BRACE = 0x7d;
const CLOSING = new Set([LAST_BRACE, 0x5d]);

/** Tells when the text of a JSON object, which comes in pieces, has come to its end. Other JSON has none. */
export class JsonProgress {
  #depth = 0;
  #isInText = false;
  #isEscaped = false;
  #isComplete = false;

  /** True when the object's last brace has come. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  add(piece: string): void {
    for (let at = 0; at < piece.length; at++) this.#take(piece.charCodeAt(at));
  }

  #take(code: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (code === BACKSLASH) this.#isEscaped = this.#isInText;
    else if (code === QUOTE) this.#isInText = !this.#isInText;
    else if (!this.#isInText && OPENING.has(code)) this.#depth += 1;
    else if (!this.#isInText && CLOSING.has(code)) {
      this.#depth -= 1;
      this.#isComplete ||= this.#depth === 0 && code === LAST_BRACE;
    }
  }
}
