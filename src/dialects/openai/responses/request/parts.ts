import type { ContentPart, Json, JsonObject } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";
import { invalid, others } from "../../../fitting/values.ts";

/** Why a request can't be a conversation. */
export interface Impossible {
  readonly param: string;
  readonly why: string;
}

/** What is said or shown, as chat completions write it. */
interface Content {
  readonly parts: string | ContentPart[];
  /** A part that no conversation can hold. */
  readonly impossible: Impossible | undefined;
}

/** Reads the content of a message, or a tool's output. */
export function contentOf(content: Json | undefined, place: string): Content {
  if (typeof content === "string") return { parts: content, impossible: undefined };
  if (!Array.isArray(content)) throw invalid(place, "expected string or list");
  const parts = content.map((part: Json, index) => partOf(part, `${place}[${index}]`));
  return { parts, impossible: firstImpossible(content, place) };
}

/** The ways to name a file that stands elsewhere, and why none goes up. */
const ELSEWHERE = {
  file_id: "a file by its id is at one upstream only; send its data",
  file_url: "the upstream takes no addresses of files; send its data",
};

function firstImpossible(parts: readonly Json[], place: string): Impossible | undefined {
  for (const [index, part] of parts.entries()) {
    for (const [name, why] of Object.entries(ELSEWHERE))
      if (isObject(part) && typeof part[name] === "string")
        return { param: `${place}[${index}].${name}`, why };
  }
  return undefined;
}

function partOf(part: Json, place: string): ContentPart {
  if (!isObject(part) || typeof part["type"] !== "string") {
    throw invalid(`${place}.type`, "expected the type of a part");
  }
  const { type, text } = part;
  switch (type) {
    case "input_text":
    case "output_text":
      if (typeof text !== "string") throw invalid(`${place}.text`, "expected string");
      return { type: "text", text };
    case "input_image":
      return imageOf(part, place);
    case "input_file":
      return fileOf(part);
    default:
      // Sound has the same form in both APIs; anything else is the upstream's to judge.
      return part as ContentPart;
  }
}

function imageOf({ image_url: url, file_id: id, detail }: JsonObject, place: string): ContentPart {
  if (typeof url !== "string" && typeof id !== "string")
    throw invalid(`${place}.image_url`, "expected string");
  return { type: "image_url", image_url: { url, ...(typeof detail === "string" && { detail }) } };
}

const TYPE = new Set(["type"]);

function fileOf(part: JsonObject): ContentPart {
  return { type: "file", file: others(part, TYPE) };
}

/** Returns an assistant's texts, refusals among them; its content has no other parts. */
export function spokenIn(content: Json | undefined, place: string): string[] {
  if (typeof content === "string") return [content];
  if (!Array.isArray(content)) throw invalid(place, "expected string or list");
  return content.map((part: Json, index) => {
    const { text, refusal } = isObject(part) ? part : {};
    if (typeof text === "string") return text;
    if (typeof refusal === "string") return refusal;
    throw invalid(`${place}[${index}]`, "expected a part with a text");
  });
}

/** Returns texts as a message's content: as a list only where there are several. */
export function joinedTexts(texts: readonly string[]): string | ContentPart[] | null {
  return texts.length <= 1 ? (texts[0] ?? null) : texts.map((text) => ({ type: "text", text }));
}
