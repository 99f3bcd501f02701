import type { ContentPart, JsonObject } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import type { Known } from "./known.ts";
import { knownMembers, leaveOut } from "./known.ts";
import { dataUrl, imageUrl } from "./sources.ts";
import { listOf, objectAt, textAt, textIn } from "./values.ts";

const PLACE = "messages[].content[]";
const TEXT_MEMBERS = new Set(["type", "text"]);
const IMAGE_MEMBERS = new Set(["type", "image_url"]);

/** Returns content parts as an upstream knows them; blocks of Anthropic's that it doesn't know become texts or files. */
export function partsFor(parts: readonly ContentPart[], known: Known): ContentPart[] {
  return parts.flatMap((part) => partFor(part, known));
}

function partFor(part: ContentPart, known: Known): ContentPart[] {
  if (part.type === "text" || part.type === "image_url") {
    const own = part.type === "text" ? TEXT_MEMBERS : IMAGE_MEMBERS;
    return [knownMembers(part, { own, place: PLACE }, known) as ContentPart];
  }
  if (known.extensions.has(part.type)) return [part];
  switch (part.type) {
    case "document":
      return documentParts(part, known);
    case "search_result":
      return [{ type: "text", text: described(part, textOf(part["content"])) }];
    case "image":
    case "container_upload":
      throw unsupported("has no access to files that were uploaded elsewhere");
    case "file":
    case "input_audio":
      return [part];
    default:
      leaveOut(`${PLACE}.${part.type}`, known);
      return [];
  }
}

function documentParts(document: ContentPart, known: Known): ContentPart[] {
  const source = objectAt(document["source"], `${PLACE}.source`);
  const { title } = document;
  switch (textIn(source["type"])) {
    case "base64": {
      const name = textIn(title) || "document.pdf";
      return [{ type: "file", file: { filename: name, file_data: dataUrl(source, `${PLACE}.source`) } }];
    }
    case "text":
      return [{ type: "text", text: described(document, textAt(source["data"], `${PLACE}.source.data`)) }];
    case "content": {
      const { content } = source;
      if (typeof content === "string") return [{ type: "text", text: described(document, content) }];
      return partsFor(listOf(content).map(innerPart), known);
    }
    default:
      throw unsupported("takes no addresses of documents, nor files that were uploaded elsewhere");
  }
}

/** A block within a document: a text or a picture. */
function innerPart(block: JsonObject): ContentPart {
  const image = block["type"] === "image" ? imageUrl(block, PLACE) : undefined;
  return image === undefined ? (block as ContentPart) : { type: "image_url", image_url: { url: image } };
}

/** A text with the title and the place that it has. */
function described({ title, source, context }: JsonObject, text: string): string {
  return [textIn(title), textIn(source), textIn(context), text].filter((line) => line !== "").join("\n");
}

function textOf(content: JsonObject[string]): string {
  return listOf(content)
    .map(({ text }) => textIn(text))
    .join("\n");
}

function unsupported(what: string): UpstreamError {
  return new UpstreamError("unsupported", `the upstream ${what}`, { param: "messages" });
}
