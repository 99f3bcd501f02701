import { UpstreamError } from "../../contract/index.ts";
import { ByteBuffer } from "../http/byte-buffer.ts";

/** One server-sent event. */
export interface SseEvent {
  /** Its type: `message` where the server named none. */
  readonly event: string;
  /** Its `data` lines, joined by line feeds. */
  readonly data: string;
  /** The last id the server gave so far, or the empty string. */
  readonly id: string;
  /** The reconnection time the server asked for so far, in milliseconds. */
  readonly retry: number | undefined;
}

/** Receives the events of a stream. */
export interface SseSink {
  /**
   * May read a whole event itself from a text of whole lines, where the event begins at `from`. Returns where the next
   * event begins, or `from` if it read none.
   */
  readFast(text: string, from: number): number;
  onEvent(event: SseEvent): void;
}

/** Default limit of an event's data and its unfinished line together. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;

/**
 * Reads an event stream by https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6, in chunks of
 * any size and in time proportional to the bytes. Throws `UpstreamError` `bad-response` for an event that is too large.
 */
export class SseLines {
  readonly #sink: SseSink;
  readonly #maxEventBytes: number;
  readonly #rest = new ByteBuffer();
  /** The data of the current event; undefined before its first `data` line. */
  #data: string | undefined;
  #dataBytes = 0;
  #event = "";
  #id = "";
  #retry: number | undefined;
  #begun = false;
  #lineFeedMayFollow = false;
  #strays = "";

  constructor(sink: SseSink, maxEventBytes: number = MAX_EVENT_BYTES) {
    this.#sink = sink;
    this.#maxEventBytes = maxEventBytes;
  }

  /** Reads the next chunk and passes the events that it completes to the sink. The chunk is not retained. */
  push(piece: Uint8Array): void {
    const bytes = this.#lineFeedMayFollow && piece[0] === LINE_FEED ? piece.subarray(1) : piece;
    if (piece.length > 0) this.#lineFeedMayFollow = false;
    const end = endOfLastLine(bytes);
    if (end > 0) {
      this.#lineFeedMayFollow = end === bytes.length && bytes[end - 1] === CARRIAGE_RETURN;
      this.#readLines(this.#wholeLines(end === bytes.length ? bytes : bytes.subarray(0, end)));
    }
    if (end < bytes.length) {
      this.#rest.append(bytes.subarray(end));
      this.#checkSize(this.#dataBytes + this.#rest.length);
    }
  }

  /** Ends the stream: passes the event that lacks its blank line, or its line end, to the sink. */
  finish(): void {
    this.push(TWO_LINE_ENDS);
  }

  /**
   * The lines so far that belong to no event, up to 64 KiB. The standard ignores them, but they often explain why a
   * stream broke off: servers and proxies write bare JSON or HTML into it.
   */
  get strays(): string {
    return this.#strays;
  }

  #wholeLines(bytes: Uint8Array): Uint8Array {
    // Most chunks hold whole lines: then nothing is copied.
    if (this.#rest.length === 0) return bytes;
    this.#rest.append(bytes);
    return this.#rest.take();
  }

  #readLines(bytes: Uint8Array): void {
    // Lines are whole here, so no character is cut and each block can be decoded by itself.
    let text = decoder.decode(bytes);
    const isAscii = text.length === bytes.length;
    if (!this.#begun) text = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    this.#begun = true;
    if (text.includes("\r")) text = text.replaceAll(/\r\n?/g, "\n");
    let from = 0;
    while (from < text.length) {
      const next = this.#data === undefined && this.#event === "" ? this.#sink.readFast(text, from) : from;
      from = next > from ? next : this.#readLineAt(text, from, isAscii);
    }
  }

  /** Reads one line and returns where the next begins. */
  #readLineAt(text: string, from: number, isAscii: boolean): number {
    const to = text.indexOf("\n", from);
    if (to === from) this.#dispatch();
    // Nearly all lines; they need no further parsing.
    else if (text.startsWith(DATA, from)) this.#addData(text.slice(from + DATA.length, to), isAscii);
    else if (text.startsWith(EVENT, from)) this.#event = text.slice(from + EVENT.length, to);
    else this.#readLine(text.slice(from, to), isAscii);
    return to + 1;
  }

  #readLine(line: string, isAscii: boolean): void {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#addData(value, isAscii);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry") this.#retry = /^[0-9]+$/.test(value) ? Number(value) : this.#retry;
    else if (!FIELDS.some((field) => field.startsWith(name)) && this.#strays.length < MAX_STRAYS)
      this.#strays += `${line}\n`;
  }

  #addData(value: string, isAscii: boolean): void {
    this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    // The name counts, else the number of empty lines would be unlimited.
    this.#dataBytes += DATA.length + (isAscii ? value.length : Buffer.byteLength(value));
    this.#checkSize(this.#dataBytes);
  }

  #dispatch(): void {
    const data = this.#data;
    const event = this.#event;
    this.#data = undefined;
    this.#dataBytes = 0;
    this.#event = "";
    if (data !== undefined)
      this.#sink.onEvent({ event: event || "message", data, id: this.#id, retry: this.#retry });
  }

  #checkSize(bytes: number): void {
    if (bytes <= this.#maxEventBytes) return;
    throw new UpstreamError(
      "bad-response",
      `the upstream sent an event of more than ${this.#maxEventBytes} bytes`,
    );
  }
}

const MAX_STRAYS = 64 * 1024;
/** A prefix of one of these may be a truncated line; a comment's name is empty. */
const FIELDS = ["data", "event", "id", "retry"];

/** The beginning of nearly all lines. */
export const DATA = "data: ";
const EVENT = "event: ";
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const TWO_LINE_ENDS = new Uint8Array([LINE_FEED, LINE_FEED]);
const BYTE_ORDER_MARK = "\u{FEFF}";
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function endOfLastLine(bytes: Uint8Array): number {
  // Nearly always: servers send whole events.
  if (bytes[bytes.length - 1] === LINE_FEED) return bytes.length;
  const lineFeed = bytes.lastIndexOf(LINE_FEED);
  const carriageReturn = bytes.subarray(lineFeed + 1).lastIndexOf(CARRIAGE_RETURN);
  return lineFeed + 1 + carriageReturn + 1;
}
