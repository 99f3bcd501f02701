import type { ChatRequest, Message } from "modelyard/plugin";

/** The text of the last user message that has some; undefined if there is none. */
export function lastUserText(request: ChatRequest): string | undefined {
  return request.messages
    .map((message) => (message.role === "user" ? textOf(message) : ""))
    .findLast(Boolean);
}

/** All text of a conversation, as its tokens are counted. */
export function countWords(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + wordCount(textOf(message)), 0);
}

/** How many tokens a text has here: its words, which are what white space separates. */
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
