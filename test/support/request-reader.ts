const MAX_REQUEST = 64 * 1024 * 1024;
const END_OF_LINE = "\r\n";
const END_OF_HEAD = "\r\n\r\n";

/** One HTTP/1.1 request as it came. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  /** The body's bytes, without chunked framing. */
  readonly body: Uint8Array;
  /** All bytes that came for it, framing included. */
  readonly bytesRead: number;
}

type State = "head" | "body" | "chunk-size" | "chunk" | "chunk-end" | "trailer" | "done";

interface Head {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
}

/** Reads one HTTP/1.1 request from bytes as they come (RFC 9112); throws at what isn't one, and beyond 64 MiB. */
export class RequestReader {
  #held = Buffer.alloc(0);
  #state: State = "head";
  #head: Head | undefined;
  /** Bytes that are missing of the body or of its current chunk. */
  #left = 0;
  #body: Buffer[] = [];
  #bytes = 0;

  /** Takes more bytes; gives the request when it is whole. */
  push(bytes: Uint8Array): RawRequest | undefined {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > MAX_REQUEST) throw new Error("the request is too long");
    this.#held = Buffer.concat([this.#held, bytes]);
    while (this.#step());
    if (this.#state !== "done" || !this.#head) return undefined;
    return { ...this.#head, body: Buffer.concat(this.#body), bytesRead: this.#bytes - this.#held.byteLength };
  }

  /** What came after the request's end. */
  get rest(): Uint8Array {
    return this.#held;
  }

  /** Goes on by one piece of the grammar; false when more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#readHead();
      case "body":
        return this.#readBytes("done");
      case "chunk-size":
        return this.#readChunkSize();
      case "chunk":
        return this.#readBytes("chunk-end");
      case "chunk-end":
        return this.#readLine(() => "chunk-size");
      case "trailer":
        return this.#readLine((line) => (line === "" ? "done" : "trailer"));
      case "done":
        return false;
    }
  }

  #readHead(): boolean {
    const text = this.#take(END_OF_HEAD);
    if (text === undefined) return false;
    const [requestLine = "", ...lines] = text.split(END_OF_LINE);
    const [method = "", path = "", version] = requestLine.split(" ");
    if (version !== "HTTP/1.1") throw new Error(`not an HTTP/1.1 request: ${requestLine}`);
    const headers = new Headers(lines.map(headerOf));
    this.#head = { method, path, headers };
    this.#left = Number(headers.get("content-length") ?? 0);
    this.#state = headers.get("transfer-encoding") === "chunked" ? "chunk-size" : "body";
    return true;
  }

  #readChunkSize(): boolean {
    return this.#readLine((line) => {
      this.#left = Number.parseInt(line, 16);
      if (Number.isNaN(this.#left)) throw new Error(`not a chunk size: ${line}`);
      return this.#left === 0 ? "trailer" : "chunk";
    });
  }

  #readBytes(then: State): boolean {
    const taken = this.#held.subarray(0, this.#left);
    if (taken.byteLength > 0) this.#body.push(taken);
    this.#held = this.#held.subarray(taken.byteLength);
    this.#left -= taken.byteLength;
    if (this.#left > 0) return false;
    this.#state = then;
    return true;
  }

  #readLine(next: (line: string) => State): boolean {
    const line = this.#take(END_OF_LINE);
    if (line === undefined) return false;
    this.#state = next(line);
    return true;
  }

  /** Takes what stands before `mark`, and the mark. */
  #take(mark: string): string | undefined {
    const end = this.#held.indexOf(mark);
    if (end < 0) return undefined;
    const text = this.#held.toString("latin1", 0, end);
    this.#held = this.#held.subarray(end + mark.length);
    return text;
  }
}

function headerOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
