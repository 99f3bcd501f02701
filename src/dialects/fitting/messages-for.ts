import type { ContentPart, JsonObject, Message } from "../../contract/index.ts";
import type { Known } from "./known.ts";
import { knownMembers } from "./known.ts";
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
    else if (message.role !== "tool") fitted.push(plainFor(message, known));
    else {
      const { result, media } = resultFor(message, known);
      fitted.push(result);
      attached.push(...media);
    }
  }
  if (attached.length > 0) fitted.push({ role: "user", content: attached });
  return fitted;
}

const MESSAGE_MEMBERS = { own: new Set(["role", "content"]), place: "messages[]" };

function plainFor(message: Message, known: Known): Message {
  const { role, ...members } = { ...message, content: contentFor(message.content, known) ?? "" };
  return { role, ...knownMembers(members, MESSAGE_MEMBERS, known) };
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

/** Of reasoning, what was signed goes back only to who can check it, and plain text to who wants its own back. */
function assistantFor({ role, content, tool_calls: calls, ...own }: Message, known: Known): Message {
  const hasCalls = Array.isArray(calls);
  return {
    role,
    ...knownMembers(own, MESSAGE_MEMBERS, known),
    content: contentFor(content, known, "") ?? (hasCalls ? null : ""),
    ...(hasCalls && {
      tool_calls: calls.map((each) => knownMembers(each as JsonObject, CALL_MEMBERS, known)),
    }),
  };
}

const CALL_MEMBERS = { own: new Set(["id", "type", "function"]), place: "messages[].tool_calls[]" };
