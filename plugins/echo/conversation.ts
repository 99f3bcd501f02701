import type { ChatRequest, Message } from "modelyard/plugin";

/** Returns the text of the last user message that has any, or undefined. */
export function lastUserText(request: ChatRequest): string | undefined {
  return request.messages
    .map((message) => (message.role === "user" ? textOf(message) : ""))
    .findLast(Boolean);
}

/** Returns the number of words of a conversation, which count as tokens. */
export function countWords(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + wordCount(textOf(message)), 0);
}

/** Returns the number of words of a text, separated by white space. */
export function wordCount(text: string): number {
  let count = 0;
  for (const _ of text.matchAll(/\S+/g)) count++;
  return count;
}

function textOf({ content }: Message): string {
  if (typeof content === "string") return content;
  return (content ?? [])
    .map((part) => (part.type === "text" && typeof part["text"] === "string" ? part["text"] : ""))
    .filter(Boolean)
    .join("\n");
}
