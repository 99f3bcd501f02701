import { UpstreamError } from "../../contract/index.ts";
import { ByteBuffer } from "./byte-buffer.ts";

const MAX_DOCUMENT = 64 * 1024 * 1024;

/** A JSON document on its way; nearly always it comes in one piece, and nothing is copied. */
export class JsonDocument {
  readonly #first: Uint8Array;
  #buffer: ByteBuffer | undefined;

  constructor(first: Uint8Array) {
    this.#first = first;
  }

  /** All that came; to be asked for once. */
  get bytes(): Uint8Array {
    return this.#buffer ? this.#buffer.take() : this.#first;
  }

  /** Throws UpstreamError `bad-response` where it becomes too large. */
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
