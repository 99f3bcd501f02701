import { flattenString } from "./flatten-string.ts";

/** Characters that are flattened at once; until then each added piece is an object of its own. */
const BLOCK = 4_096;

/** Collects a text that arrives in pieces, in little more memory than its characters need. The plain way is `+=`. */
export class GrowingText {
  #blocks: string[] | undefined;
  #rest = "";
  #length = 0;
  #isBlank = true;

  get length(): number {
    return this.#length;
  }

  /** True while the text is empty or white space of JSON. */
  get isBlank(): boolean {
    return this.#isBlank;
  }

  /** The last characters, at least one if there is any. */
  get ending(): string {
    return this.#rest === "" ? (this.#blocks?.at(-1) ?? "").slice(-16) : this.#rest.slice(-16);
  }

  get text(): string {
    return this.#blocks ? this.#blocks.join("") + this.#rest : this.#rest;
  }

  add(piece: string): void {
    this.#rest += piece;
    this.#length += piece.length;
    this.#isBlank &&= isBlank(piece);
    if (this.#rest.length < BLOCK) return;
    (this.#blocks ??= []).push(flattenString(this.#rest));
    this.#rest = "";
  }
}

/** Returns whether a text is empty or white space of JSON. */
export function isBlank(text: string): boolean {
  return /^[ \t\n\r]*$/.test(text);
}
