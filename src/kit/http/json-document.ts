import { UpstreamError } from "../../contract/index.ts";
import { ByteBuffer } from "./byte-buffer.ts";

const MAX_DOCUMENT = 64 * 1024 * 1024;

/** Collects a JSON document; nearly always it arrives in one piece, and nothing is copied. */
export class JsonDocument {
  readonly #first: Uint8Array;
  #buffer: ByteBuffer | undefined;

  constructor(first: Uint8Array) {
    this.#first = first;
  }

  /** The bytes that have arrived. Read it once. */
  get bytes(): Uint8Array {
    return this.#buffer ? this.#buffer.take() : this.#first;
  }

  /** Throws `UpstreamError` `bad-response` beyond 64 MiB. */
  append(piece: Uint8Array): void {
    if (!this.#buffer) {
      this.#buffer = new ByteBuffer();
      this.#buffer.append(this.#first);
    }
    this.#buffer.append(piece);
    if (this.#buffer.length > MAX_DOCUMENT)
      throw new UpstreamError("bad-response", "the upstream's answer is too large");
  }
}

/** Returns the first piece of a body from its first byte that isn't blank: some servers send blanks while a model thinks. */
export function trimStart(piece: Uint8Array): Uint8Array {
  let from = 0;
  while (from < piece.length && BLANKS.has(piece[from] ?? 0)) from++;
  return from === 0 ? piece : piece.subarray(from);
}

/** Returns whether a body that starts with these bytes is a JSON document, not an event stream. */
export function startsAsJson(first: Uint8Array): boolean {
  return first[0] === BRACE || first[0] === BRACKET;
}

const BRACE = 0x7b;
const BRACKET = 0x5b;
// Tab, line feed, carriage return, space, and the three bytes of a byte order mark.
const BLANKS = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);
