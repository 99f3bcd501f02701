import { asString, cleanBase64, isAbsent, isObject, readInlineData } from "modelyard/kit";
import type { InlineDataOptions } from "modelyard/kit";
import type { Call, ContentPart, Json, JsonObject } from "modelyard/plugin";
import type { ModelName } from "../models.ts";
import { badRequest, unsupported } from "./errors.ts";

/** A part of a message, and around it. */
export interface PartPlace {
  /** As `messages[1].content[0]`. */
  readonly path: string;
  readonly model: ModelName;
  readonly call: Pick<Call, "ignored">;
}

type Rule = (own: JsonObject, place: PartPlace) => JsonObject;

/** For each type of part: the member that holds it, what of that is read, and what becomes of it. */
const RULES = new Map<string, readonly [readonly string[], Rule]>([
  ["image_url", [["url"], byUrl]],
  ["video_url", [["url"], byUrl]],
  ["input_audio", [["data", "format"], audio]],
  ["file", [["file_data", "file_id"], file]],
]);

/** A part that isn't text as Gemini takes it: `inlineData`, or `fileData` where Google has it or fetches it. */
export function mediaPart(part: ContentPart, place: PartPlace): JsonObject {
  const [members, rule] = RULES.get(part.type) ?? [];
  const given = part[part.type];
  const own: Json | undefined = typeof given === "string" ? { url: given } : given;
  if (!members || !rule) throw unsupported(place.path, `Gemini takes no parts of type "${part.type}"`);
  if (!isObject(own)) throw badRequest(`${place.path}.${part.type}`, "an object");
  nameOthers(part, ["type", part.type], { ...place, path: "messages[].content[]" });
  nameOthers(own, members, { ...place, path: `messages[].content[].${part.type}` });
  return rule(own, place);
}

/** Names the members of a part that are not read. */
export function nameOthers(part: JsonObject, known: readonly string[], { path, call }: PartPlace): void {
  for (const [name, value] of Object.entries(part)) {
    if (known.includes(name) || isAbsent(value) || (name === "detail" && value === "auto")) continue;
    call.ignored(`${path}.${name}`, "Gemini's parts have no such member");
  }
}

function byUrl(own: JsonObject, place: PartPlace): JsonObject {
  if (asString(own["url"]).trim() === "") throw badRequest(place.path, "a part with a url");
  return inlineData(asString(own["url"]), place) ?? locatedAt(asString(own["url"]).trim(), place);
}

function audio(own: JsonObject, place: PartPlace): JsonObject {
  const format = asString(own["format"]) || "wav";
  const data = cleanBase64(asString(own["data"]));
  if (data === undefined) throw badRequest(`${place.path}.input_audio.data`, "base64");
  return { inlineData: { mimeType: `audio/${format}`, data } };
}

function file(own: JsonObject, place: PartPlace): JsonObject {
  const data = asString(own["file_data"]);
  const id = asString(own["file_id"]);
  const name = asString(own["filename"]).toLowerCase();
  const mediaType = MIME_TYPES.get(/\.(\w+)$/.exec(name)?.[1] ?? "") ?? "application/pdf";
  if (data !== "") return inlineData(data, place, mediaType) ?? locatedAt(data.trim(), place);
  if (data === "" && id === "") throw badRequest(`${place.path}.file`, "a file with file_data or file_id");
  if (/^files\/[\w-]+$/.test(id)) return { fileData: { fileUri: `${FILES_ORIGIN}/v1beta/${id}` } };
  if (id.startsWith("https://") || id.startsWith("gs://")) return locatedAt(id, place);
  throw unsupported(place.path, "Gemini has only files of its own: files/NAME, its https address, or gs://");
}

const FILES_ORIGIN = "https://generativelanguage.googleapis.com";

/** Images that Gemini takes. https://ai.google.dev/gemini-api/docs/image-understanding#supported-formats */
const IMAGES = new Set(["image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"]);

/** A `data:` URL, or bare base64 of a type that is known; undefined for an address. */
function inlineData(text: string, { path }: PartPlace, mediaType?: string): JsonObject | undefined {
  const options: InlineDataOptions = { place: path, ...(mediaType !== undefined && { mediaType }) };
  const given = readInlineData(text, options);
  if (!given) return undefined;
  const { mediaType: mimeType, data } = given;
  if (mimeType.startsWith("image/") && !IMAGES.has(mimeType))
    throw unsupported(path, `Gemini takes no images of type ${mimeType}`);
  return { inlineData: { mimeType, data } };
}

/** Nothing is fetched from here: Google gets the address. */
function locatedAt(url: string, place: PartPlace): JsonObject {
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
