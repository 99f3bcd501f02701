const HEAD_END = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

/**
 * Cuts what comes over one connection into requests. As little as a stub needs: a client sends the next request
 * only when it has had the answer to the last.
 */
export class RequestReader {
  #pieces: Buffer[] = [];
  #length = 0;
  /** Of the whole request, in bytes; Infinity for a chunked one, undefined until its head is there. */
  #expected: number | undefined;

  /** The whole request, as soon as it is there. */
  take(piece: Buffer): Buffer | undefined {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#expected === undefined) this.#readHead();
    if (this.#expected === undefined || !this.#isWhole(piece, this.#expected)) return undefined;
    const request = this.#joined();
    this.#pieces = [];
    this.#length = 0;
    this.#expected = undefined;
    return request;
  }

  #readHead(): void {
    const start = this.#joined();
    this.#pieces = [start];
    const end = start.indexOf(HEAD_END);
    if (end < 0) return;
    const head = start.toString("latin1", 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const unsaid = /\r\ntransfer-encoding:/i.test(head) ? Infinity : 0;
    this.#expected =
      length === undefined && unsaid > 0 ? unsaid : end + HEAD_END.length + Number(length ?? 0);
  }

  #isWhole(last: Buffer, expected: number): boolean {
    if (expected !== Infinity) return this.#length >= expected;
    return last.toString("latin1", Math.max(0, last.length - LAST_CHUNK.length)) === LAST_CHUNK;
  }

  #joined(): Buffer {
    const [first] = this.#pieces;
    return this.#pieces.length === 1 && first ? first : Buffer.concat(this.#pieces);
  }
}
