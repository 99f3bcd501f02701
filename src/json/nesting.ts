/** Limit of the levels of nested lists and objects in a request or an answer. */
export const MAX_NESTING = 500;

/**
 * Returns whether a JSON text has more levels than `MAX_NESTING`. Called before parsing: millions of levels would take
 * gigabytes, and from some 50,000 on `JSON.stringify` takes a second to fail.
 */
export function isNestedTooDeep(text: string): boolean {
  if (text.length <= MAX_NESTING || !hasManyBeginnings(text)) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) at = endOfString(text, at);
    else if (character === LIST || character === OBJECT) depth += 1;
    else if (character === LIST_END || character === OBJECT_END) depth -= 1;
    if (depth > MAX_NESTING) return true;
  }
  return false;
}

/** Nearly no text has as many, and to count them takes less than to look at each character. */
function hasManyBeginnings(text: string): boolean {
  let count = 0;
  for (const beginning of "[{") {
    for (let at = text.indexOf(beginning); at >= 0; at = text.indexOf(beginning, at + 1)) {
      count += 1;
      if (count > MAX_NESTING) return true;
    }
  }
  return false;
}

/** The quote at the end of the string that begins with the one at `from`; the text's end where there is none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return at;
  }
  return text.length;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
