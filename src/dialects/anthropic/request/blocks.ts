import type { ContentPart, JsonObject } from "../../../contract/index.ts";
import { imageUrl } from "../../fitting/sources.ts";
import { picked, textAt } from "../../fitting/values.ts";

/** Anthropic's members of a block that OpenAI's part carries beside its own. */
const KEPT = ["cache_control", "citations", "context"];

/**
 * Returns the part of a chat message for a block of a user's turn. Texts and pictures have OpenAI's form; every other block
 * stays as it is, for upstreams that know it. `path` is its place in the body.
 */
export function partOf(block: JsonObject, path: string): ContentPart {
  if (block["type"] === "text") return textPart(block, path);
  const image = block["type"] === "image" ? imageUrl(block, path) : undefined;
  if (image === undefined) return block as ContentPart;
  return { type: "image_url", image_url: { url: image }, ...picked(block, KEPT) };
}

/** Returns the part for a text block. */
export function textPart(block: JsonObject, path: string): ContentPart {
  return { type: "text", text: textAt(block["text"], `${path}.text`), ...picked(block, KEPT) };
}
