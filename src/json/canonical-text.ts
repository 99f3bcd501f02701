/** In `VALUES`: the character begins an escape sequence. */
export const ESCAPE = 255;

/** By ASCII code: 1 to 36 for a digit or a letter, whatever its case; 0 for what is left out. */
export const VALUES: Uint8Array = new Uint8Array(128);
const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
for (const [index, character] of ALPHABET.split("").entries()) {
  VALUES[character.charCodeAt(0)] = index + 1;
  VALUES[character.toUpperCase().charCodeAt(0)] = index + 1;
}
for (const character of "\\%&") VALUES[character.charCodeAt(0)] = ESCAPE;

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
/** Where Unicode has ASCII in full width, from the space on. */
export const FULL_WIDTH = 0xff00;
const HEX = /^[0-9a-fA-F]+$/;
/** A character reference of HTML, its ampersand escaped any number of times. */
const REFERENCE = /&(?:amp;)*(?:#(\d{1,7});?|#[xX]([0-9a-fA-F]{1,6});?|[A-Za-z]{2,8};)/y;

/**
 * The letters and digits of a text: small, its escape sequences (JSON, URL, HTML) resolved, and without anything else.
 * Two ways of writing the same key are the same canonical text.
 */
export interface CanonicalText {
  readonly text: string;
  /** Where each of its characters begins in the original. */
  readonly starts: readonly number[];
  /** Where each of its characters ends in the original. */
  readonly ends: readonly number[];
}

/** Returns the canonical text of `original`. */
export function canonicalText(original: string): CanonicalText {
  const starts: number[] = [];
  const ends: number[] = [];
  let text = "";
  for (let at = 0; at < original.length;) {
    const read = readAt(original, at);
    const value = valueOf(read);
    const end = at + lengthOf(read);
    if (value > 0) {
      text += ALPHABET[value - 1];
      starts.push(at);
      ends.push(end);
    }
    at = end;
  }
  return { text, starts, ends };
}

/**
 * Reads one character or escape sequence: its value (1 to 36, 0 for what is left out) and its length, as one number so
 * that the search of each line of the log allocates nothing.
 */
export function readAt(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  const value = unit < 128 ? (VALUES[unit] ?? 0) : decoded(unit);
  return value === ESCAPE ? escapeAt(text, at, unit) : packed(value, 1);
}

/** The value in what `readAt` returns. */
export function valueOf(read: number): number {
  return read & 0xff;
}

/** The length in what `readAt` returns. */
export function lengthOf(read: number): number {
  return read >>> 8;
}

function packed(value: number, length: number): number {
  return (length << 8) | value;
}

function escapeAt(text: string, at: number, unit: number): number {
  if (unit === BACKSLASH) return backslashAt(text, at);
  return unit === PERCENT ? percentAt(text, at) : referenceAt(text, at);
}

/** Of JSON: any number of backslashes, since JSON may stand in a string of JSON. */
function backslashAt(text: string, at: number): number {
  let end = at + 1;
  while (text.charCodeAt(end) === BACKSLASH) end++;
  const letter = text[end] ?? "";
  if (letter === "u" || letter === "x") {
    const digits = text.slice(end + 1, end + (letter === "u" ? 5 : 3));
    if (digits.length === (letter === "u" ? 4 : 2) && HEX.test(digits))
      return packed(decoded(Number.parseInt(digits, 16)), end + 1 + digits.length - at);
  }
  return packed(0, "nrtbfv".includes(letter) && letter !== "" ? end + 1 - at : end - at);
}

/** Of URLs: the percent sign may be escaped itself, any number of times. */
function percentAt(text: string, at: number): number {
  let end = at + 1;
  while (text.startsWith("25", end)) end += 2;
  const digits = text.slice(end, end + 2);
  return digits.length === 2 && HEX.test(digits)
    ? packed(decoded(Number.parseInt(digits, 16)), end + 2 - at)
    : packed(0, end - at);
}

function referenceAt(text: string, at: number): number {
  REFERENCE.lastIndex = at;
  const match = REFERENCE.exec(text);
  if (!match) return packed(0, 1);
  const [whole, decimal, hex] = match;
  const code = decimal === undefined ? Number.parseInt(hex ?? "0", 16) : Number(decimal);
  return packed(decoded(code), whole.length);
}

/** Returns the value of a character that is written by its code, or outside of ASCII: full-width forms have one. */
export function decoded(code: number): number {
  const ascii = code < FULL_WIDTH ? code : code - FULL_WIDTH + 0x20;
  const value = ascii < 128 ? (VALUES[ascii] ?? 0) : 0;
  return value === ESCAPE ? 0 : value;
}
