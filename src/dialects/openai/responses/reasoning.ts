import type { JsonObject } from "../../../contract/index.ts";
import { isObject } from "../../../contract/json.ts";

/** How signed or encrypted reasoning of other APIs begins where it travels as `encrypted_content`. */
const MARK = "mdy1.";

/** Returns an upstream's `reasoning_details` as text that a client gives back as `encrypted_content`. */
export function wrapReasoning(details: readonly JsonObject[]): string {
  return MARK + Buffer.from(JSON.stringify(details)).toString("base64url");
}

/** Returns what `wrapReasoning` was given; undefined for an `encrypted_content` that is not of this gateway. */
export function unwrapReasoning(encrypted: string): readonly JsonObject[] | undefined {
  if (!encrypted.startsWith(MARK)) return undefined;
  try {
    const details: unknown = JSON.parse(Buffer.from(encrypted.slice(MARK.length), "base64url").toString());
    return Array.isArray(details) && details.every(isObject) ? details : undefined;
  } catch {
    return undefined;
  }
}
