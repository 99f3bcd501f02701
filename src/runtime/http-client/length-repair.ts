import type { AnswerParser, HeadParser, ParserError } from "./llhttp.ts";

/** Beyond this nothing is mended. */
const MAX_BYTES = 64 * 1024;
const REFUSED: ReadonlySet<string> = new Set(["HPE_UNEXPECTED_CONTENT_LENGTH", "HPE_INVALID_CONTENT_LENGTH"]);
const LENGTH = /^content-length[ \t]*:(.*)$/i;

/**
 * Has heads read whose `content-length` stands there several times with one value, which a recipient may take for one
 * (RFC 9110, section 8.6). llhttp refuses them, so they are given to a new parser with one of them.
 */
export class LengthRepair implements AnswerParser {
  readonly #make: () => HeadParser;
  #parser: HeadParser;
  /** What has come of a head. */
  #unread: Uint8Array[] = [];
  /** Why a head was refused of which the rest is awaited. */
  #refusal: ParserError | undefined;

  constructor(make: () => HeadParser) {
    this.#make = make;
    this.#parser = make();
  }

  take(bytes: Uint8Array): Error | undefined {
    const { heads } = this.#parser;
    this.#unread.push(bytes);
    const error = this.#refusal ?? this.#parser.take(bytes);
    if (error && REFUSED.has(error.code)) return this.#mend(error);
    if (this.#parser.hasHead || this.#parser.heads !== heads) this.#unread.length = 0;
    return error;
  }

  close(): Error | undefined {
    return this.#refusal ?? this.#parser.close();
  }

  #mend(refusal: ParserError): Error | undefined {
    const all = Buffer.concat(this.#unread);
    const end = all.toString("latin1").search(/\r?\n\r?\n/);
    this.#refusal = end < 0 && all.length < MAX_BYTES ? refusal : undefined;
    if (this.#refusal) return undefined;
    const head = end < 0 ? undefined : withOneLength(all.toString("latin1", 0, end));
    if (head === undefined) return refusal;
    this.#unread.length = 0;
    this.#parser = this.#make();
    return this.#parser.take(Buffer.concat([Buffer.from(head, "latin1"), all.subarray(end)]));
  }
}

/** The head with one `content-length`; undefined where they differ, or there is none. */
function withOneLength(head: string): string | undefined {
  const lines = head.split(/\r?\n/);
  const lengths = lines.flatMap((line) => LENGTH.exec(line)?.[1]?.split(",") ?? []);
  const [length, ...others] = lengths.map((each) => each.trim());
  if (length === undefined || others.some((other) => other !== length)) return undefined;
  return [...lines.filter((line) => !LENGTH.test(line)), `content-length: ${length}`].join("\r\n");
}
