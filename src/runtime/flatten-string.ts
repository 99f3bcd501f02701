/**
 * The same text, put together in memory. Of a text that was added up the engine only notes down its parts until
 * somebody looks into it: kept for long, these take more memory than the text, with the whole chunks that they were
 * cut from; and whoever adds to it again and again has them all walked through each time.
 */
export function flattenString(text: string): string {
  // Nothing else makes it so little: what counts bytes must look at each character.
  Buffer.byteLength(text);
  return text;
}
