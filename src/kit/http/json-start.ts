const BRACE = 0x7b;
const BRACKET = 0x5b;
// Tab, line feed, carriage return, space, and the three bytes of a byte order mark.
const BLANKS = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);

/** A first piece from its first byte that isn't blank: some servers send blanks while their model thinks. */
export function trimStart(piece: Uint8Array): Uint8Array {
  let from = 0;
  while (from < piece.length && BLANKS.has(piece[from] ?? 0)) from++;
  return from === 0 ? piece : piece.subarray(from);
}

/** Whether a body that begins so is a JSON document, and no event stream. */
export function startsAsJson(first: Uint8Array): boolean {
  return first[0] === BRACE || first[0] === BRACKET;
}
