import type { Json, JsonObject } from "../../contract/index.ts";
import { parseLossless } from "../../json/lossless.ts";
import { MAX_NESTING } from "../../json/nesting.ts";
import type { Source } from "../../json/source.ts";
import { retainSource } from "../../json/source.ts";
import { splice } from "../../json/splice.ts";
import { scanTopLevel } from "../../json/top-level.ts";
import { GatewayError } from "../../errors/gateway-error.ts";

/** Skips a byte order mark, and throws on what is not UTF-8 instead of replacing it. */
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The JSON of a body, with the bytes it was written in kept beside it. Throws GatewayError `invalid_json`.
 */
export function parseBody(received: Uint8Array<ArrayBuffer>): Json {
  if (received.byteLength === 0)
    throw new GatewayError("invalid_json", "the body is empty; send a JSON object");
  const text = decoded(received);
  // A byte order mark isn't everybody's.
  const start = received[0] === BYTE_ORDER_MARK ? BYTE_ORDER_MARK_LENGTH : 0;
  const bytes = Buffer.from(received.buffer, received.byteOffset + start, received.byteLength - start);
  const { members, doubled, isTooDeep, hasLongNumbers } = scanTopLevel(text, bytes.byteLength);
  if (isTooDeep) {
    throw new GatewayError("invalid_json", `the body is nested more than ${MAX_NESTING} levels deep`);
  }
  const value = parseJson(text, hasLongNumbers);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const ascii = text.length === bytes.byteLength && bytes.indexOf(ESCAPE) < 0;
    const source = { bytes, members, ascii };
    retainSource(value as JsonObject, doubled === undefined ? source : withoutDoubles(source));
  }
  return value;
}

const BYTE_ORDER_MARK = 0xef;
const BYTE_ORDER_MARK_LENGTH = 3;
const ESCAPE = Buffer.from("\\u");

function decoded(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new GatewayError("invalid_json", `the body is not valid UTF-8${compression(bytes)}`, { cause });
  }
}

/** What a body seems to be compressed with whose client doesn't say so. Brotli has no mark. */
function compression(bytes: Uint8Array): string {
  const found = COMPRESSED.find(({ mark }) => mark.every((byte, index) => bytes[index] === byte));
  if (found) return `; it begins like ${found.name}, send it uncompressed`;
  if (BEGINNING.test(String.fromCharCode(bytes[0] ?? 0))) return "";
  return "; it doesn't begin like JSON: if it is compressed, with brotli say, send it uncompressed";
}

const COMPRESSED = [
  { name: "zstd", mark: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "gzip", mark: [0x1f, 0x8b] },
  { name: "deflate", mark: [0x78, 0x9c] },
];
/** Of what may be JSON, with a byte order mark or without. */
const BEGINNING = /[\s{[\u00ef]/;

/**
 * The same with the last of the members of one name only, as it was parsed: others take the first, and would be asked
 * for something else than was admitted.
 */
function withoutDoubles(source: Source): Source {
  const last = new Set(new Map(source.members.map((member) => [member.name, member])).values());
  const others = source.members.filter((member) => !last.has(member));
  const bytes = splice(source, new Map(others.map((member) => [member, undefined])));
  return { ...source, bytes, members: scanTopLevel(decoded(bytes), bytes.byteLength).members };
}

function parseJson(text: string, hasLongNumbers: boolean): Json {
  try {
    return hasLongNumbers ? parseLossless(text) : (JSON.parse(text) as Json);
  } catch (cause) {
    throw new GatewayError("invalid_json", `the body is not valid JSON${parserMessage(cause)}`, { cause });
  }
}

// The engine goes on with the body's own text, which may be long and belongs into no log.
const PARSER_MESSAGE =
  /^JSON Parse error: (Expected '[:,\]}]'|Unexpected (?:EOF|identifier)|Unterminated string|Unrecognized token|Property name must be a string literal|Single quotes \('\) are not allowed|Invalid (?:number|escape character|digits after decimal point))/;

/** What the engine says of the mistake, as far as the words are its own. */
function parserMessage(error: unknown): string {
  const [, said] = (error instanceof Error && PARSER_MESSAGE.exec(error.message)) || [];
  if (said === undefined) return "";
  return said === "Unexpected EOF"
    ? "; it ends too early"
    : `; the parser says: ${said.replace(/^[A-Z]/, (first) => first.toLowerCase())}`;
}
