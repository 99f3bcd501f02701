import { UpstreamError } from "../../contract/index.ts";

/** A file within a request, such as an image, a PDF or audio. */
export interface InlineData {
  /** The media type in lower case, without parameters. */
  readonly mediaType: string;
  /** Standard base64, padded, on one line. */
  readonly data: string;
}

export interface InlineDataOptions {
  /** The path of the request's field, for the error. */
  readonly place: string;
  /** The type of bare base64, and of a `data:` URL without one. */
  readonly mediaType?: string;
}

/**
 * Reads a `data:` URL (RFC 2397), or bare base64 whose type is known by its first bytes or `options.mediaType`; returns
 * undefined for any other URL. Base64 is cleaned of whitespace, percent escapes, URL-safe letters and missing padding.
 * The type is detected from the first bytes of images and PDFs, because clients call every screenshot PNG; else it is
 * the one that the client names. Throws `UpstreamError` `bad-request` for data that is empty or can't be decoded.
 */
export function readInlineData(text: string, options: InlineDataOptions): InlineData | undefined {
  const url = text.trim();
  if (/^data:/i.test(url)) return readDataUrl(url, options);
  if (/^[a-z][a-z0-9+.-]*:/i.test(url)) return undefined;
  const data = cleanBase64(url);
  const mediaType = data === undefined ? undefined : (mediaTypeOf(data) ?? options.mediaType);
  if (data !== undefined && mediaType !== undefined) return { mediaType, data };
  if (options.mediaType === undefined) return undefined;
  throw undecodable(options.place);
}

/** Returns standard base64 (RFC 4648, section 4); undefined for empty or invalid data. */
export function cleanBase64(text: string): string | undefined {
  if (STANDARD.test(text) && text.length % 4 === 0) return text === "" ? undefined : text;
  const letters = unescaped(text)
    ?.replaceAll(/\s+/g, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/")
    .replace(/={1,2}$/, "");
  if (!letters || !STANDARD.test(letters) || letters.length % 4 === 1) return undefined;
  return letters.padEnd(Math.ceil(letters.length / 4) * 4, "=");
}

const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/;

function readDataUrl(url: string, options: InlineDataOptions): InlineData {
  const comma = url.indexOf(",");
  const [type = "", ...parameters] = url.slice("data:".length, Math.max(comma, 0)).split(";");
  const isBase64 = parameters.some((parameter) => parameter.trim().toLowerCase() === "base64");
  const content = comma < 0 ? "" : url.slice(comma + 1);
  const data = isBase64 ? cleanBase64(content) : percentDecoded(content);
  if (data === undefined) throw undecodable(options.place);
  const said = OFFICIAL_TYPES.get(type.trim().toLowerCase()) ?? type.trim().toLowerCase();
  // Text may begin with any bytes.
  const mediaType = said.startsWith("text/") ? said : (mediaTypeOf(data) ?? said);
  return { mediaType: mediaType || options.mediaType || "text/plain", data };
}

/** Media types that clients write and vendors refuse, with the official ones. */
const OFFICIAL_TYPES = new Map([["image/jpg", "image/jpeg"]]);

function percentDecoded(content: string): string | undefined {
  if (content === "" || /%(?![0-9a-f]{2})/i.test(content)) return undefined;
  const bytes = Buffer.from(content, "utf8");
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const isEscape = bytes[at] === PERCENT;
    bytes[length++] = isEscape
      ? Number.parseInt(bytes.toString("latin1", at + 1, at + 3), 16)
      : (bytes[at] ?? 0);
    if (isEscape) at += 2;
  }
  return bytes.toString("base64", 0, length);
}

const PERCENT = 0x25;

function unescaped(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Returns the type that the first bytes show. https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern */
function mediaTypeOf(base64: string): string | undefined {
  const start = Buffer.from(base64.slice(0, 32), "base64").toString("latin1");
  return SIGNATURES.find(([signature]) => signature.test(start))?.[1];
}

const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^\x89PNG\r\n/, "image/png"],
  [/^\xff\xd8\xff/, "image/jpeg"],
  [/^GIF8[79]a/, "image/gif"],
  [/^RIFF[^]{4}WEBP/, "image/webp"],
  [/^%PDF-/, "application/pdf"],
  [/^[^]{4}ftyp(heic|heix|hevc|hevx)/, "image/heic"],
  [/^[^]{4}ftyp(mif1|msf1)/, "image/heif"],
  [/^[^]{4}ftypavi[fs]/, "image/avif"],
];

function undecodable(param: string): UpstreamError {
  return new UpstreamError("bad-request", `${param} must be a data: URL with data, or an address`, { param });
}
