/**
 * Returns a text in one block of memory. JSC keeps a concatenated text as a rope of its parts until its characters are
 * read; the parts retain the chunks that they were cut from, and each further concatenation walks through them.
 */
export function flattenString(text: string): string {
  // The cheapest call that reads each character.
  Buffer.byteLength(text);
  return text;
}
