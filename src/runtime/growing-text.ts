import { flattenString } from "./flatten-string.ts";

/** Characters that are put together at once: each piece added to a text is an object of its own until then. */
const BLOCK = 4_096;

/** A text that comes in pieces, kept in little more memory than its characters need. */
export class GrowingText {
  #blocks: string[] | undefined;
  #rest = "";
  #length = 0;
  #isBlank = true;

  get length(): number {
    return this.#length;
  }

  /** True while nothing but JSON's white space has come. */
  get isBlank(): boolean {
    return this.#isBlank;
  }

  /** Its last characters, at least one where there is any. */
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

/** True for a text of JSON's white space. */
export function isBlank(text: string): boolean {
  return /^[ \t\n\r]*$/.test(text);
}
