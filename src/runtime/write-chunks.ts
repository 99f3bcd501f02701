/*
 * What is written to a socket while Bun (1.4.5) gathers it leaves in one system call and one packet, up to 16 KiB with
 * the headers. A single write beyond that has every header, and each of their colons and line ends, sent by itself: 60
 * calls for an answer of ours. Smaller ones that follow one another leave together, however many they are.
 */

/** Characters of a piece: three bytes each at most. */
const MOST_CHARACTERS = 5_000;
/** Bytes of a piece, and of a body that needs no pieces: they leave room for the headers. */
const MOST_BYTES = 12 * 1024;

/** Gives a text in pieces that Bun sends together. They end with a line where they can, and never within a character. */
export function inChunks(text: string, give: (piece: string) => void): void {
  if (text.length <= MOST_CHARACTERS) return give(text);
  for (let from = 0; from < text.length;) {
    const to = endOfPiece(text, from);
    give(text.slice(from, to));
    from = to;
  }
}

/** Where the piece ends that begins at `from`. */
export function endOfPiece(text: string, from: number): number {
  const most = from + MOST_CHARACTERS;
  if (most >= text.length) return text.length;
  // Within the piece alone: in a text without lines this would come back to its beginning for each piece.
  const line = text.slice(from, most).lastIndexOf("\n") + 1;
  if (line > 0) return from + line;
  const isPair = (text.codePointAt(most - 1) ?? 0) > 0xffff;
  return isPair ? most - 1 : most;
}

/** What a response is made from that has this body: itself, or where it is large, a stream of small pieces. */
export function responseBody(body: string | Uint8Array<ArrayBuffer>): BodyInit {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  if (length <= MOST_BYTES) return body;
  return new ReadableStream<string | Uint8Array<ArrayBuffer>>({
    start(controller) {
      const give = (piece: string | Uint8Array<ArrayBuffer>): void => controller.enqueue(piece);
      if (typeof body === "string") inChunks(body, give);
      else inSmallParts(body, give);
      controller.close();
    },
  });
}

function inSmallParts(bytes: Uint8Array<ArrayBuffer>, give: (part: Uint8Array<ArrayBuffer>) => void): void {
  for (let from = 0; from < bytes.length; from += MOST_BYTES) give(bytes.subarray(from, from + MOST_BYTES));
}
