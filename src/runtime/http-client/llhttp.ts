/**
 * llhttp, the HTTP parser of Node.js, as Bun offers it natively: https://bun.com/docs/runtime/nodejs-compat lists
 * `process.binding("http_parser")`, https://github.com/nodejs/node/blob/v24.x/src/node_http_parser.cc has the names.
 * @module
 */

/** One header after the other: a name, then its value. */
export type RawHeaders = readonly string[];

/** The beginning of an answer. */
export interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: RawHeaders;
}

/** The events of a parser, in their order. */
export interface ParserEvents {
  /** Called at the first byte of an answer. */
  begins(): void;
  /** The head of an answer. Interim answers (1xx) have one, too. `keepsAlive`: the connection outlasts the answer. */
  head(head: AnswerHead, keepsAlive: boolean): void;
  /** A part of the body, in memory of its own. */
  body(piece: Uint8Array): void;
  /** An answer has come to its end; other answers may follow. */
  end(): void;
}

/** Parses the answers that come over one connection. */
export interface AnswerParser {
  /** Takes what has come; the error, which has a `code`, if that is no HTTP. */
  take(bytes: Uint8Array): Error | undefined;
  /** The connection was closed: where an answer may end so, it ends. The error, if it may not. */
  close(): Error | undefined;
}

export type ParserError = Error & { readonly code: string };

/** A parser that tells where it is. */
export interface HeadParser extends AnswerParser {
  /** Whether a head is read whose body is not at its end. */
  readonly hasHead: boolean;
  /** How many heads it has read. */
  readonly heads: number;
  take(bytes: Uint8Array): ParserError | undefined;
}

/** An instance as Bun has it: it calls the methods that stand under the class's numbers. */
interface Llhttp {
  initialize(type: number, resource: object, maxHeaderBytes: number, lenience: number): void;
  execute(bytes: Uint8Array): number | ParserError;
  finish(): undefined | Error;
}

interface LlhttpClass {
  new (): Llhttp;
  readonly RESPONSE: number;
  readonly kOnMessageBegin: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientOptionalCRBeforeLF: number;
  readonly kLenientSpacesAfterChunkSize: number;
  readonly kLenientChunkedLength: number;
}

/** Makes a parser that reports to `events`. */
export type ParserMaker = (events: ParserEvents) => HeadParser;

/** A maker of parsers; undefined where this Bun has none. */
export function findParser(): ParserMaker | undefined {
  const llhttp = bound();
  if (!llhttp) return undefined;
  const Parser = parserClass(llhttp);
  return (events) => new Parser(events);
}

function bound(): LlhttpClass | undefined {
  try {
    const lender = process as unknown as { binding?(name: string): { HTTPParser?: LlhttpClass } };
    return lender.binding?.("http_parser").HTTPParser;
  } catch {
    return undefined;
  }
}

const READ_BODY = 0;
/** As much as `fetch` takes, and then some. */
export const MAX_HEADER_BYTES: number = 128 * 1024;

/** Its callbacks are methods, since closures would be made anew for each connection. */
function parserClass(llhttp: LlhttpClass): new (events: ParserEvents) => HeadParser {
  // What home-made servers do and `fetch` takes: bare line feeds, and a length beside the chunks, which then count.
  const lenience =
    llhttp.kLenientOptionalCRBeforeLF | llhttp.kLenientSpacesAfterChunkSize | llhttp.kLenientChunkedLength;
  return class extends llhttp implements HeadParser {
    readonly #events: ParserEvents;
    heads = 0;
    /** Headers of a long head that the parser reported before its end. */
    #early: RawHeaders = [];
    hasHead = false;

    constructor(events: ParserEvents) {
      super();
      this.#events = events;
      this.initialize(llhttp.RESPONSE, {}, MAX_HEADER_BYTES, lenience);
    }

    take(bytes: Uint8Array): ParserError | undefined {
      const done = this.execute(bytes);
      return typeof done === "number" ? undefined : done;
    }

    close(): Error | undefined {
      return this.finish();
    }

    [llhttp.kOnMessageBegin](): void {
      this.#events.begins();
    }

    [llhttp.kOnHeaders](headers: RawHeaders): void {
      // After the body these are trailers, which are ignored.
      if (!this.hasHead) this.#early = [...this.#early, ...headers];
    }

    [llhttp.kOnHeadersComplete](
      ...[, , late, , , status, statusText, , keepsAlive]: HeadersComplete
    ): number {
      const headers = this.#early.length > 0 ? [...this.#early, ...(late ?? [])] : (late ?? []);
      this.#early = [];
      this.hasHead = true;
      this.heads += 1;
      this.#events.head({ status, statusText, headers }, keepsAlive);
      return READ_BODY;
    }

    [llhttp.kOnBody](piece: Uint8Array): void {
      this.#events.body(piece);
    }

    [llhttp.kOnMessageComplete](): void {
      this.hasHead = false;
      this.#events.end();
    }
  };
}

type HeadersComplete = [
  major: number,
  minor: number,
  headers: string[] | undefined,
  method: undefined,
  url: undefined,
  status: number,
  statusText: string,
  upgrade: boolean,
  keepsAlive: boolean,
];
