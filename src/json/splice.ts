import type { Json } from "../contract/json.ts";
import { stringifyJson } from "./json-text.ts";
import type { TopMember } from "./top-level.ts";

/** A JSON object in UTF-8, and the positions of its top-level members. */
export interface WrittenObject {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly members: readonly TopMember[];
}

/** The new value of a member; undefined leaves it out. */
export type Edits = ReadonlyMap<TopMember, Json | undefined>;

/** Returns the object with new values of some members and with new members at its end. The rest stays as it was written. */
export function splice(
  { bytes, members }: WrittenObject,
  edits: Edits,
  added: readonly (readonly [name: string, value: Json])[] = [],
): Uint8Array<ArrayBuffer> {
  const pieces = new Pieces(bytes);
  const begin = members[0]?.at ?? bytes.indexOf(BRACE) + 1;
  let end = begin;
  let isFirst = true;
  pieces.copy(0, begin);
  for (const member of members) {
    const value = edits.get(member);
    if (value !== undefined || !edits.has(member)) {
      // With the comma before it, and what blanks there are.
      pieces.copy(isFirst ? member.at : end, value === undefined ? member.to : member.from);
      if (value !== undefined) pieces.add(stringifyJson(value));
      isFirst = false;
    }
    end = member.to;
  }
  for (const [name, value] of added) {
    pieces.add(`${isFirst ? "" : ","}${stringifyJson(name)}:${stringifyJson(value)}`);
    isFirst = false;
  }
  pieces.copy(end, bytes.length);
  return pieces.joined();
}

/** Collects ranges of a text's bytes and other bytes; adjacent ranges become one. */
class Pieces {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #pieces: Uint8Array[] = [];
  #from = 0;
  #to = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  copy(from: number, to: number): void {
    if (from !== this.#to) {
      this.#flush();
      this.#from = from;
    }
    this.#to = to;
  }

  add(text: string): void {
    this.#flush();
    this.#from = this.#to;
    this.#pieces.push(encoder.encode(text));
  }

  joined(): Uint8Array<ArrayBuffer> {
    this.#flush();
    const size = this.#pieces.reduce((sum, { length }) => sum + length, 0);
    const joined = new Uint8Array(size);
    let at = 0;
    for (const piece of this.#pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  }

  #flush(): void {
    if (this.#to > this.#from) this.#pieces.push(this.#bytes.subarray(this.#from, this.#to));
  }
}

const encoder = new TextEncoder();
const BRACE = 0x7b;
