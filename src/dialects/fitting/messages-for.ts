import type { ContentPart, JsonObject, Message } from "../../contract/index.ts";
import type { Known } from "./known.ts";
import { knownMembers, leaveOut } from "./known.ts";
import { partsFor } from "./parts-for.ts";
import { textIn } from "./values.ts";

/** What stands in place of a tool's result that had only pictures. */
const ATTACHED = "The result is attached.";

/** Returns the messages as an upstream knows them. Pictures of tools' results follow them in a user's message. */
export function messagesFor(messages: readonly Message[], known: Known): Message[] {
  const fitted: Message[] = [];
  let attached: ContentPart[] = [];
  for (const message of messages) {
    if (attached.length > 0 && message.role !== "tool") {
      fitted.push({ role: "user", content: attached });
      attached = [];
    }
    if (message.role === "assistant") fitted.push(assistantFor(message, known));
    else if (message.role !== "tool")
      fitted.push({ ...message, content: contentFor(message.content, known) ?? "" });
    else {
      const { result, media } = resultFor(message, known);
      fitted.push(result);
      attached.push(...media);
    }
  }
  if (attached.length > 0) fitted.push({ role: "user", content: attached });
  return fitted;
}

/** Texts are joined for an upstream to which it makes no difference: many take no lists. */
function contentFor(content: Message["content"], known: Known, between = "\n\n"): Message["content"] {
  if (typeof content === "string" || !content) return content;
  const parts = partsFor(content, known);
  const isText = !known.extensions.has("cache_control") && parts.every(({ type }) => type === "text");
  return isText ? parts.map(({ text }) => textIn(text)).join(between) : parts;
}

function resultFor(
  { is_error: isError, ...message }: Message,
  known: Known,
): { readonly result: Message; readonly media: readonly ContentPart[] } {
  const { extensions } = known;
  const content = contentFor(message.content, known) ?? "";
  const parts = typeof content === "string" ? [] : content;
  const staysWhole = typeof content === "string" || extensions.has("tool_media");
  const texts = staysWhole ? content : parts.filter(({ type }) => type === "text");
  const media = staysWhole ? [] : parts.filter(({ type }) => type !== "text");
  const said = media.length > 0 && texts.length === 0 ? ATTACHED : contentFor(texts, known);
  const isMarked = isError === true && !extensions.has("is_error");
  const whole = { ...message, content: isMarked ? asError(said) : said };
  const result = isError === true && !isMarked ? { ...whole, is_error: true } : whole;
  return { result: knownMembers(result, RESULT_MEMBERS, known) as Message, media };
}

const RESULT_MEMBERS = { own: new Set(["role", "content", "tool_call_id"]), place: "messages[]" };

function asError(content: Message["content"]): Message["content"] {
  if (typeof content === "string") return `error: ${content}`;
  return [{ type: "text", text: "error:" }, ...(content ?? [])];
}

function assistantFor(message: Message, known: Known): Message {
  const { content, tool_calls: calls, reasoning_details: details, content_blocks: blocks } = message;
  const { extensions } = known;
  const hasCalls = Array.isArray(calls);
  if (blocks !== undefined && !extensions.has("content_blocks")) leaveOut("messages[].content_blocks", known);
  return {
    role: "assistant",
    content: contentFor(content, known, "") ?? (hasCalls ? null : ""),
    ...(hasCalls && {
      tool_calls: calls.map((each) => knownMembers(each as JsonObject, CALL_MEMBERS, known)),
    }),
    ...(Array.isArray(details) && reasoningFor(details as JsonObject[], known)),
    ...(blocks !== undefined && extensions.has("content_blocks") && { content_blocks: blocks }),
  };
}

const CALL_MEMBERS = { own: new Set(["id", "type", "function"]), place: "messages[].tool_calls[]" };

/** What was signed goes back only to who can check it, and plain text to who wants its own back. */
function reasoningFor(details: readonly JsonObject[], known: Known): JsonObject {
  const { extensions } = known;
  const isPlain = (detail: JsonObject) => detail["type"] === "reasoning.text" && !("signature" in detail);
  const asText = extensions.has("reasoning_content") ? details.filter(isPlain) : [];
  const asDetails = extensions.has("reasoning_details")
    ? details.filter((detail) => !asText.includes(detail))
    : [];
  if (asText.length + asDetails.length < details.length) leaveOut("messages[].reasoning_details", known);
  return {
    ...(asText.length > 0 && { reasoning_content: asText.map(({ text }) => textIn(text)).join("") }),
    ...(asDetails.length > 0 && { reasoning_details: asDetails }),
  };
}
