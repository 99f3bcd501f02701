/** As ECMAScript 2026 has it, which TypeScript's library doesn't know yet. */
const json = JSON as unknown as { rawJSON(text: string): unknown };

/**
 * A number of a JSON text that JavaScript would write with other digits, such as 2512292042121000001 or 1e400.
 * `JSON.stringify` writes it as it was written; `Number(value)` is the nearest that JavaScript has.
 */
export class LosslessNumber {
  readonly #text: string;

  /** Takes a number as JSON writes it; throws a SyntaxError where the text is none. */
  constructor(text: string) {
    if (!NUMBER.test(text)) throw new SyntaxError(`"${text.slice(0, 40)}" is no JSON number`);
    this.#text = text;
  }

  toJSON(): unknown {
    return json.rawJSON(this.#text);
  }

  valueOf(): number {
    return Number(this.#text);
  }

  toString(): string {
    return this.#text;
  }
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Whether a JSON value is a number, one that JavaScript can't hold included. */
export function isNumber(value: unknown): value is number | LosslessNumber {
  return typeof value === "number" || value instanceof LosslessNumber;
}
