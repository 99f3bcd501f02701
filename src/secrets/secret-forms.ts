import type { CanonicalText } from "../json/canonical-text.ts";
import { canonicalText } from "../json/canonical-text.ts";

/** A form in which a secret may be written. */
export interface SecretForm extends CanonicalText {
  readonly encoding: "plain" | "turned" | "base64" | "hex" | "codes";
}

/** Shortest part of a secret that is masked; shorter ones may be ordinary words. */
const SHORTEST_PART = 12;

/** Shortest masked part of each form; for encoded ones a little less than `SHORTEST_PART` encodes to. */
export const SHORTEST: Readonly<Record<SecretForm["encoding"], number>> = {
  plain: SHORTEST_PART,
  turned: SHORTEST_PART,
  base64: 14,
  hex: 20,
  codes: 28,
};

/**
 * Returns the canonical forms of a secret: as it is, reversed, by rot13, in base64 wherever it may stand in what is
 * encoded, in base64 of base64, in hex, and as decimal and octal codes of its bytes. Other encodings, such as gzip, are
 * not known: each form costs memory, and an upstream that means to tell a client its own key can always find one.
 */
export function formsOf(secret: string): readonly SecretForm[] {
  const bytes = new TextEncoder().encode(secret);
  const encoded = [0, 1, 2].map((before) => base64Within(bytes, before));
  return [
    { ...canonicalText(secret), encoding: "plain" },
    ...encoded.map((text): SecretForm => ({ ...canonicalText(text), encoding: "base64" })),
    { ...canonicalText(base64Within(new TextEncoder().encode(bytes.toBase64()), 0)), encoding: "base64" },
    { ...canonicalText(bytes.toHex()), encoding: "hex" },
    { ...canonicalText(secret.split("").toReversed().join("")), encoding: "turned" },
    { ...canonicalText(secret.replaceAll(/[a-z]/gi, rot13)), encoding: "turned" },
    { ...canonicalText(bytes.join(" ")), encoding: "codes" },
    { ...canonicalText(Array.from(bytes, octal).join(" ")), encoding: "codes" },
  ];
}

function rot13(letter: string): string {
  const position = Number.parseInt(letter, 36) - 10;
  return (((position + 13) % 26) + 10).toString(36);
}

/** Formats a byte as C and `od` do. */
function octal(byte: number): string {
  return byte.toString(8).padStart(3, "0");
}

/** Returns the base64 characters that depend on these bytes alone, after `before` other bytes (mod 3). */
function base64Within(bytes: Uint8Array, before: number): string {
  const padded = new Uint8Array(before + bytes.length);
  padded.set(bytes, before);
  const bits = padded.length * 8;
  return padded.toBase64().slice(Math.ceil((before * 8) / 6), Math.floor(bits / 6));
}

/** A match of a part of a form with a part of a text. */
export interface Match {
  readonly form: SecretForm;
  /** In `form.text`. */
  readonly from: number;
  readonly to: number;
  /** The match in the original text. */
  readonly written: string;
  /** True if letters or digits adjoin it there. */
  readonly isWithinWord: boolean;
}

/** Returns whether a match is a secret, or a part of one that must be masked, and not ordinary words. */
export function isLeak(match: Match, secret: string): boolean {
  const { form, from, to, written } = match;
  if (form.encoding !== "plain") return to - from >= SHORTEST[form.encoding];
  const isWhole = from === 0 && to === form.text.length;
  if (isWhole && (to >= SHORTEST_PART || /\d/.test(form.text))) return true;
  if (isWhole) {
    const own = secret.slice(form.starts[0], form.ends[to - 1]);
    return written === own || written === JSON.stringify(own).slice(1, -1);
  }
  const part = partOf(match, secret);
  return part.length >= SHORTEST_PART && !isOrdinary(match, secret);
}

/** Returns whether a match may be ordinary words that the secret happens to contain. */
export function isOrdinary(match: Match, secret: string): boolean {
  const { form, from, to, written, isWithinWord } = match;
  if (isWithinWord || /\d/.test(form.text.slice(from, to))) return false;
  const start = form.starts[from] ?? 0;
  const end = form.ends[to - 1] ?? secret.length;
  if (isAlphanumeric(secret[start - 1]) || isAlphanumeric(secret[end])) return false;
  const own = secret.slice(start, end);
  const words = own.split(/[^A-Za-z]+/);
  if (!words.every((word) => WORD.test(word))) return false;
  // Several words that are joined as they are in the secret are the secret's.
  return written !== own || words.length === 1;
}

const WORD = /^(?:[A-Z]?[a-z]*|[A-Z]+)$/;

/** Returns the matched part of the secret, with the punctuation around it. */
function partOf({ form, from, to }: Match, secret: string): string {
  const start = from === 0 ? 0 : (form.ends[from - 1] ?? 0);
  return secret.slice(start, to === form.text.length ? secret.length : form.starts[to]);
}

/** Tells whether a character is an ASCII letter or digit. */
export function isAlphanumeric(character: string | undefined): boolean {
  return character !== undefined && /^[A-Za-z0-9]$/.test(character);
}
