/**
 * llhttp, the HTTP parser of Node.js, as Bun offers it natively: https://bun.com/docs/runtime/nodejs-compat lists
 * `process.binding("http_parser")`, https://github.com/nodejs/node/blob/v24.x/src/node_http_parser.cc has the names.
 * @module
 */

/** One header after the other: a name, then its value. */
export type RawHeaders = readonly string[];

/** What a parser tells; by the order in which it does. */
export interface ParserEvents {
  /** The whole head of an answer. Interim answers (1xx) have one, too. */
  head(status: number, statusText: string, headers: RawHeaders, keepsAlive: boolean): void;
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

interface Llhttp {
  [callback: number]: (...told: never[]) => unknown;
  initialize(type: number, resource: object): void;
  execute(bytes: Uint8Array): number | Error;
  finish(): undefined | Error;
}

interface LlhttpClass {
  new (): Llhttp;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

/** A maker of parsers; undefined where this Bun has none. */
export function findParser(): ((events: ParserEvents) => AnswerParser) | undefined {
  const llhttp = bound();
  return llhttp && ((events) => new LlhttpParser(llhttp, events));
}

function bound(): LlhttpClass | undefined {
  try {
    const { binding } = process as unknown as { binding?(name: string): { HTTPParser?: LlhttpClass } };
    return binding?.("http_parser").HTTPParser;
  } catch {
    return undefined;
  }
}

class LlhttpParser implements AnswerParser {
  readonly #parser: Llhttp;
  /** Headers that were told before the rest of theirs, because there are many. */
  #early: string[] = [];
  #hasHead = false;

  constructor(llhttp: LlhttpClass, events: ParserEvents) {
    const parser = new llhttp();
    parser.initialize(llhttp.RESPONSE, {});
    // Behind the body these are trailers, which nobody asks for.
    parser[llhttp.kOnHeaders] = (headers: string[]) => {
      if (!this.#hasHead) this.#early.push(...headers);
    };
    parser[llhttp.kOnHeadersComplete] = (
      ...[, , headers, , , status, statusText, , keepsAlive]: HeadersComplete
    ) => {
      const all = this.#early.length > 0 ? this.#early.concat(headers ?? []) : (headers ?? []);
      this.#early = [];
      this.#hasHead = true;
      events.head(status, statusText, all, keepsAlive);
      return READ_BODY;
    };
    parser[llhttp.kOnBody] = (piece: Uint8Array) => events.body(piece);
    parser[llhttp.kOnMessageComplete] = () => {
      this.#hasHead = false;
      events.end();
    };
    this.#parser = parser;
  }

  take(bytes: Uint8Array): Error | undefined {
    const done = this.#parser.execute(bytes);
    return typeof done === "number" ? undefined : done;
  }

  close(): Error | undefined {
    return this.#parser.finish();
  }
}

const READ_BODY = 0;

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
