/** What becomes of a response. */
export interface ResponseSink {
  head(status: number, head: string): void;
  /** A piece of the body, its bytes as Latin-1. */
  body(piece: string): void;
}

/** Reads one HTTP/1.1 response that has a length or is chunked, in whatever pieces it comes. */
export class ResponseReader {
  readonly #sink: ResponseSink;
  #rest = "";
  #state: "head" | "size" | "data" | "done" = "head";
  /** Bytes still to come of the body, or of this chunk with the line end behind it. */
  #left = 0;
  #isChunked = false;
  /** Whether the connection may carry another request. */
  #keepsAlive = true;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  get keepsAlive(): boolean {
    return this.#keepsAlive;
  }

  /** Throws what the sink throws, and an error at bytes that are no part of the response. */
  take(piece: string): void {
    this.#rest += piece;
    while (this.#step());
    if (this.isDone && this.#rest !== "") throw new Error("bytes after the end of the response");
  }

  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#readHead();
      case "size":
        return this.#readSize();
      case "data":
        return this.#readData();
      case "done":
        return false;
    }
  }

  #readHead(): boolean {
    const head = this.#upTo("\r\n\r\n");
    if (head === undefined) return false;
    this.#isChunked = /\r\ntransfer-encoding: *chunked/i.test(head);
    this.#keepsAlive = !/\r\nconnection: *close/i.test(head);
    this.#left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const bodied = this.#left > 0 ? "data" : "done";
    this.#state = this.#isChunked ? "size" : bodied;
    this.#sink.head(Number(head.slice(9, 12)), head);
    return true;
  }

  #readSize(): boolean {
    const line = this.#upTo("\r\n");
    if (line === undefined) return false;
    const size = Number.parseInt(line, 16);
    if (Number.isNaN(size)) throw new Error(`no chunk size: ${line.slice(0, 20)}`);
    this.#left = size;
    this.#state = "data";
    return true;
  }

  #readData(): boolean {
    if (this.#left > 0) {
      const piece = this.#rest.slice(0, this.#left);
      if (piece === "") return false;
      this.#rest = this.#rest.slice(piece.length);
      this.#left -= piece.length;
      this.#wasData = true;
      this.#sink.body(piece);
      if (this.#left > 0) return false;
    }
    return this.#endData();
  }

  #wasData = false;

  /** After a chunk comes a line end; the chunk without data is the last. */
  #endData(): boolean {
    if (this.#isChunked) {
      if (this.#upTo("\r\n") === undefined) return false;
      this.#state = this.#wasData ? "size" : "done";
      this.#wasData = false;
      return true;
    }
    this.#state = "done";
    return true;
  }

  /** What stands before the mark, which is taken off with it; undefined when the mark has not come yet. */
  #upTo(mark: string): string | undefined {
    const end = this.#rest.indexOf(mark);
    if (end < 0) return undefined;
    const before = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + mark.length);
    return before;
  }
}
