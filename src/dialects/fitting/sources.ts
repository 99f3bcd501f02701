import type { JsonObject } from "../../contract/index.ts";
import { objectAt, textAt } from "./values.ts";

/** Returns the address of the picture in an `image` block; undefined for one that was uploaded to the upstream before. */
export function imageUrl(block: JsonObject, path: string): string | undefined {
  const at = `${path}.source`;
  const source = objectAt(block["source"], at);
  if (source["type"] === "url") return textAt(source["url"], `${at}.url`);
  if (source["type"] !== "base64") return undefined;
  return dataUrl(source, at);
}

/** Returns a base64 source as a `data:` URL. */
export function dataUrl(source: JsonObject, path: string): string {
  const type = textAt(source["media_type"], `${path}.media_type`);
  return `data:${type};base64,${textAt(source["data"], `${path}.data`)}`;
}
