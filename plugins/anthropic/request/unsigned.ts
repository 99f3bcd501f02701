import { asArray, asObject, asString } from "modelyard/kit";
import type { MaybeJson } from "modelyard/kit";
import type { Call, Json, JsonObject } from "modelyard/plugin";

/**
 * Returns a client's body without the thinking that another upstream wrote: the API rejects the whole request for a
 * block without a signature. Without such a block it is the same object, which is sent as the client wrote it.
 */
export function withoutUnsignedThinking(body: JsonObject, call: Pick<Call, "ignored">): JsonObject {
  const messages = asArray(body["messages"]);
  if (!messages.some((message) => contentOf(message).some(isUnsigned))) return body;
  call.ignored("messages[].thinking", "thinking that this API did not sign can't be given back to it");
  return { ...body, messages: messages.flatMap(signedPart) };
}

/** A message of which nothing is left is left out, too: the API takes none without content. */
function signedPart(message: Json): Json[] {
  const content = contentOf(message);
  const signed = content.filter((block) => !isUnsigned(block));
  if (signed.length === content.length) return [message];
  return signed.length === 0 ? [] : [{ ...asObject(message), content: signed }];
}

function contentOf(message: MaybeJson): readonly Json[] {
  return asArray(asObject(message)?.["content"]);
}

function isUnsigned(block: Json): boolean {
  const members = asObject(block);
  return members?.["type"] === "thinking" && asString(members["signature"]) === "";
}
