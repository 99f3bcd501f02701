/*
 * Bun (1.4.5) sends writes of one turn in one system call, up to 16 KiB with the headers. A single larger write has each
 * header, colon and line end sent by itself: 60 calls for a large answer. The plain way is one write.
 */

/** Characters of a piece: three bytes each at most. */
const MOST_CHARACTERS = 5_000;
/** Bytes of a piece, and of a body that needs no pieces: they leave room for the headers. */
const MOST_BYTES = 12 * 1024;

/** Passes a text on in chunks that Bun sends together; they end with a line where possible, and never within a character. */
export function inChunks(text: string, give: (piece: string) => void): void {
  if (text.length <= MOST_CHARACTERS) return give(text);
  for (let from = 0; from < text.length;) {
    const to = endOfPiece(text, from);
    give(text.slice(from, to));
    from = to;
  }
}

/** Returns where the chunk ends that begins at `from`. */
export function endOfPiece(text: string, from: number): number {
  const most = from + MOST_CHARACTERS;
  if (most >= text.length) return text.length;
  // Within the piece alone: in a text without lines this would come back to its beginning for each piece.
  const line = text.slice(from, most).lastIndexOf("\n") + 1;
  if (line > 0) return from + line;
  const isPair = (text.codePointAt(most - 1) ?? 0) > 0xffff;
  return isPair ? most - 1 : most;
}

/** Returns the body of a response: as it is, or as a stream of small chunks if it is large. */
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
