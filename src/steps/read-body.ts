import { keepSource } from "../contract/source.ts";
import { RequestError } from "../dialects/request-error.ts";
import type { BytesTaken } from "../state/byte-budget.ts";
import type { Gateway } from "../state/gateway.ts";
import type { RequestCall } from "./open-call.ts";

// `application/json`, `application/vnd.x+json`, `text/json`; a body without a type is taken at its word.
const JSON_TYPE = /^(?:application|text)\/(?:[\w.-]+\+)?json$/i;

/** Deeper than any tool's schema. Who forwards a body that is too deep for JSON.stringify would fail on it. */
const MAX_DEPTH = 500;

/**
 * Step 3: reads the body as JSON, within the bounds for one body and for all of them together.
 * Leaves with `unsupported_media_type`, `request_too_large`, `overloaded`, `request_timeout`, `invalid_json`.
 */
export async function readBody(http: Request, call: RequestCall, gateway: Gateway): Promise<unknown> {
  checkType(http.headers);
  const length = declaredLength(http.headers, gateway);
  const taken = gateway.bodies.take(length ?? 0);
  if (!taken) throw overloaded(gateway);
  // No `using`: what that is compiled to costs each request more than reading its body does.
  try {
    return parse(await new BodyReader(http, call, gateway).read(length, taken));
  } finally {
    taken[Symbol.dispose]();
  }
}

function checkType(headers: Headers): void {
  // As nearly all say it.
  if (headers.get("content-type") === "application/json" && !headers.has("content-encoding")) return;
  const [type = "", ...parameters] = (headers.get("content-type") ?? "")
    .split(";")
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter))?.slice("charset=".length);
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw unsupportedType(`a body with content-encoding ${encoding} can't be read; send it uncompressed`);
  }
  if (type !== "" && !JSON_TYPE.test(type)) {
    throw unsupportedType(
      `content-type ${type} can't be read; send JSON with content-type: application/json`,
    );
  }
  if (charset && !/^"?utf-?8"?$/i.test(charset)) {
    throw unsupportedType(`charset ${charset} can't be read; JSON is UTF-8`);
  }
}

function unsupportedType(message: string): RequestError {
  return new RequestError("unsupported_media_type", message);
}

function declaredLength(headers: Headers, gateway: Gateway): number | undefined {
  const declared = headers.get("content-length");
  if (declared === null) return undefined;
  const length = Number(declared);
  if (length > gateway.limits.maxBody) throw tooLarge(gateway);
  return length;
}

function tooLarge(gateway: Gateway): RequestError {
  const message = `the body is larger than this gateway takes (server.max_body, ${gateway.limits.maxBody} bytes)`;
  return new RequestError("request_too_large", message);
}

function overloaded(gateway: Gateway): RequestError {
  const message = `the requests in flight hold as many bytes as this gateway takes at once (server.max_bodies, ${gateway.bodies.size} bytes)`;
  return new RequestError("overloaded", message);
}

/** Skips a byte order mark, and throws on what is not UTF-8 instead of replacing it. */
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A body up to this is expected at once, and read in one piece: that costs half of what a stream of pieces does. */
const ONE_PIECE = 1024 * 1024;

/** Reads one body, and gives up on a client that is too slow, too large, or gone. */
class BodyReader {
  readonly #http: Request;
  readonly #call: RequestCall;
  readonly #gateway: Gateway;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(http: Request, call: RequestCall, gateway: Gateway) {
    this.#http = http;
    this.#call = call;
    this.#gateway = gateway;
  }

  async read(length: number | undefined, taken: BytesTaken): Promise<Uint8Array<ArrayBuffer>> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    const { cancellation } = this.#call;
    const left = () => reject(cancellation.reason);
    cancellation.listen(left);
    const isShort = length !== undefined && length <= ONE_PIECE;
    const reader = isShort ? undefined : this.#http.body?.getReader();
    const reading = reader
      ? this.#readPieces({ reader, length, taken, giveUp: reject })
      : this.#readWhole(reject);
    reading.then(resolve, reject);
    try {
      return await promise;
    } finally {
      clearTimeout(this.#timer);
      cancellation.forget(left);
      // Not awaited: a cancel waits for the client.
      reader?.cancel().then(undefined, () => undefined);
    }
  }

  #readWhole(giveUp: (reason: unknown) => void): Promise<Uint8Array<ArrayBuffer>> {
    this.#expect(giveUp);
    return this.#http.bytes();
  }

  async #readPieces({ reader, length, taken, giveUp }: Reading): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    for (;;) {
      this.#expect(giveUp);
      const { done, value } = await reader.read();
      if (done) return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, size);
      pieces.push(value);
      size += value.byteLength;
      if (size > this.#gateway.limits.maxBody) throw tooLarge(this.#gateway);
      if (length === undefined && !taken.more(value.byteLength)) throw overloaded(this.#gateway);
    }
  }

  #expect(giveUp: (reason: unknown) => void): void {
    clearTimeout(this.#timer);
    const { bodyIdle, bodyTotal } = this.#gateway.limits;
    this.#timer = setTimeout(
      () => giveUp(new RequestError("request_timeout", "the body did not come in time")),
      Math.max(0, Math.min(bodyIdle, bodyTotal - this.#call.age)),
    );
  }
}

interface Reading {
  readonly reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly length: number | undefined;
  readonly taken: BytesTaken;
  readonly giveUp: (reason: unknown) => void;
}

function parse(bytes: Uint8Array<ArrayBuffer>): unknown {
  if (bytes.byteLength === 0) throw new RequestError("invalid_json", "the body is empty; send a JSON object");
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw new RequestError("invalid_json", "the body is not valid UTF-8", { cause });
  }
  const value = parseJson(text);
  if (isDeeperThan(MAX_DEPTH, value)) {
    throw new RequestError("invalid_json", `the body is nested more than ${MAX_DEPTH} levels deep`);
  }
  if (typeof value === "object" && value !== null && isUnambiguous(bytes)) keepSource(value, bytes);
  return value;
}

/**
 * Whether everybody reads the same model in a text: of two members of one name some parsers take the first, so that
 * another model could be asked for than the one that the key may use.
 */
function isUnambiguous({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): boolean {
  // In bytes, because in a text such a search takes as long as reading all of it.
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  const at = bytes.indexOf(MODEL);
  // A letter can be written as an escape. A byte order mark isn't everybody's.
  return at >= 0 && bytes.indexOf(MODEL, at + 1) < 0 && bytes.indexOf(ESCAPED_ASCII) < 0 && bytes[0] !== 0xef;
}

const MODEL = Buffer.from('"model"');
const ESCAPED_ASCII = Buffer.from("\\u00");

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RequestError("invalid_json", `the body is not valid JSON${complaintOf(cause)}`, { cause });
  }
}

// The engine goes on with the body's own text, which may be long and belongs into no log.
const COMPLAINT =
  /^JSON Parse error: (Expected '[:,\]}]'|Unexpected (?:EOF|identifier)|Unterminated string|Unrecognized token|Property name must be a string literal|Single quotes \('\) are not allowed|Invalid (?:number|escape character|digits after decimal point))/;

/** What the engine says of the mistake, as far as the words are its own. */
function complaintOf(error: unknown): string {
  const [, said] = (error instanceof Error && COMPLAINT.exec(error.message)) || [];
  if (said === undefined) return "";
  return said === "Unexpected EOF"
    ? "; it ends too early"
    : `; the parser says: ${said.replace(/^[A-Z]/, (first) => first.toLowerCase())}`;
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((item) => isDeeperThan(levels - 1, item));
  const members = value as Readonly<Record<string, unknown>>;
  for (const name in members) if (isDeeperThan(levels - 1, members[name])) return true;
  return false;
}
