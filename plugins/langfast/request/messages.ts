import { isAbsent } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, ContentPart, Message } from "modelyard/plugin";
import type { LangfastModel } from "../models.ts";

/** A message of the prompt runner, which takes text only. */
export type PromptMessage = { readonly role: string; readonly content: string };

type Ignored = Pick<Call, "ignored">;

/** Members of a message that the service has no counterpart for and whose loss would change the request. */
const REFUSED = ["tool_calls", "function_call", "audio"];

const PART_SEPARATOR = "\n";
const INSTRUCTION_SEPARATOR = "\n\n";

/**
 * Maps the conversation. Instructions get the role that the model takes, or, if it takes none, precede the first user
 * message. Parts are joined by line breaks. Throws `UpstreamError` `unsupported` with the path of what isn't text.
 */
export function mapMessages(
  messages: ChatRequest["messages"],
  model: LangfastModel,
  call: Ignored,
): readonly PromptMessage[] {
  const mapped = messages.map((message, index) => mapMessage(message, `messages[${index}]`, call));
  if (model.instructions === "none") return foldInstructions(mapped);
  return mapped.map((message) =>
    isInstruction(message) ? { ...message, role: model.instructions } : message,
  );
}

function mapMessage(message: Message, place: string, call: Ignored): PromptMessage {
  const { role, content } = message;
  if (!["system", "developer", "user", "assistant"].includes(role)) {
    throw unsupported(`messages with the role ${role}`, `${place}.role`);
  }
  for (const name of Object.keys(message)) checkMember(message, { name, place }, call);
  if (typeof content === "string") return { role, content };
  const parts = (content ?? []).map((part, index) => textOf(part, `${place}.content[${index}]`, call));
  return { role, content: parts.join(PART_SEPARATOR) };
}

function checkMember(
  message: Message,
  { name, place }: { name: string; place: string },
  call: Ignored,
): void {
  if (name === "role" || name === "content" || isAbsent(message[name])) return;
  if (REFUSED.includes(name)) throw unsupported(`messages with ${name}`, `${place}.${name}`);
  call.ignored(`messages[].${name}`, "a message is a role and a text to this service");
}

function textOf(part: ContentPart, place: string, call: Ignored): string {
  const text = part["text"];
  if (part.type !== "text" || typeof text !== "string") throw unsupported(`${part.type} parts`, place);
  for (const name of Object.keys(part)) {
    if (name === "type" || name === "text" || isAbsent(part[name])) continue;
    call.ignored(`messages[].content[].${name}`, "a message is a role and a text to this service");
  }
  return text;
}

/** Prepends the instructions to the first user message, for models without instructions. */
function foldInstructions(messages: readonly PromptMessage[]): readonly PromptMessage[] {
  const instructions = messages.filter(isInstruction).map(({ content }) => content);
  const others = messages.filter((message) => !isInstruction(message));
  if (instructions.length === 0) return others;
  const first = others.findIndex(({ role }) => role === "user");
  const text = others[first]?.content;
  const content = [...instructions, ...(text === undefined ? [] : [text])].join(INSTRUCTION_SEPARATOR);
  const folded = { role: "user", content };
  return first === -1 ? [folded, ...others] : others.with(first, folded);
}

function isInstruction({ role }: PromptMessage): boolean {
  return role === "system" || role === "developer";
}

function unsupported(what: string, param: string): UpstreamError {
  return new UpstreamError("unsupported", `langfa.st takes no ${what}`, { param });
}
