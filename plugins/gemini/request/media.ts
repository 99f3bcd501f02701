import { asString, cleanBase64, isAbsent, isObject, readInlineData } from "modelyard/kit";
import type { InlineDataOptions } from "modelyard/kit";
import type { Call, ContentPart, Json, JsonObject } from "modelyard/plugin";
import type { ModelName } from "../models.ts";
import { badRequest, unsupported } from "./errors.ts";

/** The path of a part in the request, and its call. */
export interface PartContext {
  /** The path, such as `messages[1].content[0]`. */
  readonly path: string;
  readonly model: ModelName;
  readonly call: Pick<Call, "ignored">;
}

type Rule = (own: JsonObject, place: PartContext) => JsonObject;

/** For each type of part, its member, the members of that which are read, and the function that maps it. */
const RULES = new Map<string, readonly [readonly string[], Rule]>([
  ["image_url", [["url"], byUrl]],
  ["video_url", [["url"], byUrl]],
  ["input_audio", [["data", "format"], audio]],
  ["file", [["file_data", "file_id"], file]],
]);

/** Maps a part that isn't text to `inlineData`, or to `fileData` if Google stores or fetches the file. */
export function mediaPart(part: ContentPart, place: PartContext): JsonObject {
  const [members, rule] = RULES.get(part.type) ?? [];
  const given = part[part.type];
  const own: Json | undefined = typeof given === "string" ? { url: given } : given;
  if (!members || !rule) throw unsupported(place.path, `Gemini takes no parts of type "${part.type}"`);
  if (!isObject(own)) throw badRequest(`${place.path}.${part.type}`, "an object");
  reportOthers(part, ["type", part.type], { ...place, path: "messages[].content[]" });
  reportOthers(own, members, { ...place, path: `messages[].content[].${part.type}` });
  return rule(own, place);
}

/** Reports the members of a part that are not read. */
export function reportOthers(part: JsonObject, known: readonly string[], { path, call }: PartContext): void {
  for (const [name, value] of Object.entries(part)) {
    if (known.includes(name) || isAbsent(value) || (name === "detail" && value === "auto")) continue;
    call.ignored(`${path}.${name}`, "Gemini's parts have no such member");
  }
}

function byUrl(own: JsonObject, place: PartContext): JsonObject {
  if (asString(own["url"]).trim() === "") throw badRequest(place.path, "a part with a url");
  return inlineData(asString(own["url"]), place) ?? fileByUrl(asString(own["url"]).trim(), place);
}

function audio(own: JsonObject, place: PartContext): JsonObject {
  const format = asString(own["format"]) || "wav";
  const data = cleanBase64(asString(own["data"]));
  if (data === undefined) throw badRequest(`${place.path}.input_audio.data`, "base64");
  return { inlineData: { mimeType: `audio/${format}`, data } };
}

function file(own: JsonObject, place: PartContext): JsonObject {
  const data = asString(own["file_data"]);
  const id = asString(own["file_id"]);
  const name = asString(own["filename"]).toLowerCase();
  const mediaType = MIME_TYPES.get(/\.(\w+)$/.exec(name)?.[1] ?? "") ?? "application/pdf";
  if (data !== "") return inlineData(data, place, mediaType) ?? fileByUrl(data.trim(), place);
  if (data === "" && id === "") throw badRequest(`${place.path}.file`, "a file with file_data or file_id");
  if (/^files\/[\w-]+$/.test(id)) return { fileData: { fileUri: `${FILES_ORIGIN}/v1beta/${id}` } };
  if (id.startsWith("https://") || id.startsWith("gs://")) return fileByUrl(id, place);
  throw unsupported(place.path, "Gemini has only files of its own: files/NAME, its https address, or gs://");
}

const FILES_ORIGIN = "https://generativelanguage.googleapis.com";

/** The image types that Gemini takes. https://ai.google.dev/gemini-api/docs/image-understanding#supported-formats */
const IMAGES = new Set(["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"]);

/** Maps a `data:` URL, or base64 of a known type. Returns undefined for other URLs. */
function inlineData(text: string, { path }: PartContext, mediaType?: string): JsonObject | undefined {
  const options: InlineDataOptions = { place: path, ...(mediaType !== undefined && { mediaType }) };
  const given = readInlineData(text, options);
  if (!given) return undefined;
  const { mediaType: mimeType, data } = given;
  if (mimeType.startsWith("image/") && !IMAGES.has(mimeType))
    throw unsupported(path, `Gemini takes no images of type ${mimeType}`);
  return { inlineData: { mimeType, data } };
}

/** Maps a URL, which Google fetches, not the gateway. */
function fileByUrl(url: string, place: PartContext): JsonObject {
  const address = URL.parse(url);
  const isOwn = address?.protocol === "gs:" || address?.origin === FILES_ORIGIN;
  if (!isOwn && address?.protocol !== "https:" && address?.protocol !== "http:") {
    throw unsupported(place.path, "Gemini takes data:, https: and gs: addresses");
  }
  // https://ai.google.dev/gemini-api/docs/file-input-methods
  if (!isOwn && place.model.version > 0 && place.model.version < 2.5) {
    throw unsupported(place.path, "models before Gemini 2.5 fetch no addresses; send a data: URL");
  }
  const extension = /\.(\w+)$/.exec(address?.pathname ?? "")?.[1]?.toLowerCase() ?? "";
  const mimeType = MIME_TYPES.get(extension);
  return { fileData: { fileUri: url, ...(mimeType && { mimeType }) } };
}

const MIME_TYPES = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["webp", "image/webp"],
  ["heic", "image/heic"],
  ["heif", "image/heif"],
  ["gif", "image/gif"],
  ["pdf", "application/pdf"],
  ["txt", "text/plain"],
  ["mp3", "audio/mp3"],
  ["wav", "audio/wav"],
  ["mp4", "video/mp4"],
  ["webm", "video/webm"],
]);
