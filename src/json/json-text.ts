/**
 * `JSON.stringify`, except that a half of a surrogate pair becomes U+FFFD: it would be written as an escape that strict
 * parsers refuse.
 */
export function stringifyJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.includes(HALF) ? text.replaceAll(ESCAPES, wellFormed) : text;
}

/** Pairs are not written as escapes, so that these are halves, or the letters `\ud` in a text. */
const HALF = "\\ud";
const ESCAPES = /\\(?:u[\da-f]{4}|.)/g;

function wellFormed(escape: string): string {
  return escape.startsWith(HALF) ? "\ufffd" : escape;
}
