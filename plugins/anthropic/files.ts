import type { JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { objectOf, textOf } from "./json.ts";
import type { Said } from "./json.ts";

/**
 * An OpenAI `image_url` as a block: a `data:` URL becomes base64, any other is fetched by Anthropic. Some clients send
 * a PDF this way, too.
 */
export function imageBlock(value: Said, place: string): JsonObject {
  const url = textOf(value) || textOf(objectOf(value)?.["url"]);
  if (url === "") throw badRequest("an image_url part needs a url", `${place}.image_url`);
  const data = dataOf(url);
  return data ? blockOf(data, "", `${place}.image_url`) : { type: "image", source: { type: "url", url } };
}

/** An OpenAI `file` as a block: an image, a PDF or a text by what it says it is, or a file uploaded before. */
export function fileBlock(value: Said, place: string): JsonObject {
  const file = objectOf(value);
  const title = textOf(file?.["filename"]);
  const id = textOf(file?.["file_id"]);
  if (id !== "") return documentBlock({ type: "file", file_id: id }, title);
  const content = textOf(file?.["file_data"]);
  if (content === "") throw badRequest("a file part needs file_data or file_id", `${place}.file`);
  const data = dataOf(content) ?? { mediaType: mediaTypeOf(title), isBase64: true, content };
  return blockOf(data, title, `${place}.file.file_data`);
}

interface Data {
  readonly mediaType: string;
  readonly isBase64: boolean;
  readonly content: string;
}

function blockOf(data: Data, title: string, place: string): JsonObject {
  const { mediaType } = data;
  const source = { type: "base64", media_type: mediaType, data: inBase64(data, place) };
  if (mediaType.startsWith("image/")) return { type: "image", source };
  if (mediaType === "application/pdf") return documentBlock(source, title);
  if (!isText(mediaType)) throw unsupported(`takes no files of type ${mediaType || "unknown"}`, place);
  const text = Buffer.from(source.data, "base64").toString("utf8");
  return documentBlock({ type: "text", media_type: "text/plain", data: text }, title);
}

function documentBlock(source: JsonObject, title: string): JsonObject {
  return { type: "document", source, ...(title !== "" && { title }) };
}

/** The parts of a `data:` URL (RFC 2397); undefined for any other. */
function dataOf(url: string): Data | undefined {
  if (!/^data:/i.test(url)) return undefined;
  const comma = url.indexOf(",");
  const [mediaType = "", ...parameters] = url.slice("data:".length, Math.max(comma, 0)).split(";");
  return {
    mediaType: officialName(mediaType.trim().toLowerCase()),
    isBase64: parameters.some((parameter) => parameter.trim().toLowerCase() === "base64"),
    content: url.slice(comma + 1),
  };
}

/** Clients write it so, and the API doesn't know it. */
function officialName(mediaType: string): string {
  return mediaType === "image/jpg" ? "image/jpeg" : mediaType;
}

function inBase64({ isBase64, content }: Data, place: string): string {
  if (isBase64) return content;
  try {
    return Buffer.from(decodeURIComponent(content), "utf8").toString("base64");
  } catch {
    throw badRequest("the data: URL is not well formed", place);
  }
}

/** What a file that names no type is by its name; most are PDFs. */
function mediaTypeOf(name: string): string {
  const extension = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "pdf";
  return BY_EXTENSION.get(extension) ?? "";
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
