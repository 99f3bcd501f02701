import { asObject, asString, readInlineData } from "modelyard/kit";
import type { InlineData, MaybeJson } from "modelyard/kit";
import type { JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";

/**
 * Maps an OpenAI `image_url`: a `data:` URL becomes base64, any other is fetched by Anthropic. Some clients send PDFs
 * this way.
 */
export function imageBlock(value: MaybeJson, part: string): JsonObject {
  const place = `${part}.image_url`;
  const url = (asString(value) || asString(asObject(value)?.["url"])).trim();
  if (url === "") throw badRequest("an image_url part needs a url", place);
  const data = readInlineData(url, { place });
  if (data) return blockOf(data, "", place);
  if (!/^https?:/i.test(url)) throw unsupported("takes data:, https: and http: addresses", place);
  return { type: "image", source: { type: "url", url } };
}

/** Maps an OpenAI `file`: an image, a PDF or a text by its media type, or a file uploaded before. */
export function fileBlock(value: MaybeJson, part: string): JsonObject {
  const file = asObject(value);
  const title = asString(file?.["filename"]);
  const id = asString(file?.["file_id"]);
  if (id !== "") return documentBlock({ type: "file", file_id: id }, title);
  const content = asString(file?.["file_data"]);
  if (content === "") throw badRequest("a file part needs file_data or file_id", `${part}.file`);
  const place = `${part}.file.file_data`;
  const data = readInlineData(content, { place, mediaType: mediaTypeOf(title) });
  if (!data) throw unsupported("takes no addresses of files", place);
  return blockOf(data, title, place);
}

/** https://platform.claude.com/docs/en/build-with-claude/vision */
const IMAGES = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"]);

function blockOf({ mediaType, data }: InlineData, title: string, place: string): JsonObject {
  const source = { type: "base64", media_type: mediaType, data };
  if (IMAGES.has(mediaType)) return { type: "image", source };
  if (mediaType === "application/pdf") return documentBlock(source, title);
  if (!isText(mediaType)) throw unsupported(`takes no files of type ${mediaType}`, place);
  const text = Buffer.from(data, "base64").toString("utf8");
  return documentBlock({ type: "text", media_type: "text/plain", data: text }, title);
}

function documentBlock(source: JsonObject, title: string): JsonObject {
  return { type: "document", source, ...(title !== "" && { title }) };
}

/** Returns the media type by a file's extension, PDF without one. */
function mediaTypeOf(name: string): string {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "pdf";
  return BY_EXTENSION.get(extension) ?? "application/octet-stream";
}

const BY_EXTENSION = new Map([
  ["pdf", "application/pdf"],
  ["txt", "text/plain"],
  ["md", "text/markdown"],
  ["csv", "text/csv"],
  ["json", "application/json"],
]);

function isText(mediaType: string): boolean {
  return mediaType.startsWith("text/") || /^application\/(json|xml|yaml|x-yaml|javascript)$/.test(mediaType);
}
