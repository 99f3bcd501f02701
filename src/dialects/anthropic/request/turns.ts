import type { ContentPart, JsonObject, Message } from "../../../contract/index.ts";
import { assistantMessage } from "./assistant.ts";
import { partOf, textPart } from "./blocks.ts";
import type { Given } from "../../fitting/values.ts";
import { invalid, listOf, others, picked, textAt } from "../../fitting/values.ts";

/** How the text of the block begins by which Claude Code tells what it is. It changes with the first question. */
const ATTRIBUTION = "x-anthropic-billing-header:";

/** Returns a request's messages: its instructions, and then its turns in their order. */
export function messagesOf({ system, messages }: JsonObject): Message[] {
  const all: Message[] = [];
  const instructions = instructionsOf(system);
  if (instructions) all.push(instructions);
  for (const [index, turn] of listOf(messages).entries())
    all.push(...turnMessages(turn, `messages[${index}]`));
  return all;
}

function instructionsOf(system: Given): Message | undefined {
  if (typeof system === "string") return system === "" ? undefined : { role: "system", content: system };
  const blocks = listOf(system)
    .map((block, index) => textPart(block, `system[${index}]`))
    .filter(({ text }) => !(text as string).startsWith(ATTRIBUTION));
  return blocks.length > 0 ? { role: "system", content: blocks } : undefined;
}

const OF_TURNS = new Set(["role", "content"]);

/** What else a turn has stands at the last of its messages. */
function turnMessages(turn: JsonObject, path: string): Message[] {
  const messages = contentMessages(turn, path);
  const own = others(turn, OF_TURNS);
  const last = messages.at(-1);
  return last && Object.keys(own).length > 0 ? [...messages.slice(0, -1), { ...own, ...last }] : messages;
}

function contentMessages({ role, content }: JsonObject, path: string): Message[] {
  if (typeof content === "string") return [{ role: roleOf(role, path), content }];
  const blocks = listOf(content);
  const at = `${path}.content`;
  if (role === "user") return userMessages(blocks, at);
  if (role === "assistant") return [assistantMessage(blocks, at)];
  return [
    { role: roleOf(role, path), content: blocks.map((block, index) => textPart(block, `${at}[${index}]`)) },
  ];
}

function roleOf(role: Given, path: string): string {
  if (role === "user" || role === "assistant" || role === "system") return role;
  throw invalid(`${path}.role`, `expected user, assistant or system, found ${JSON.stringify(role)}`);
}

/** Chat completions have a message for each tool's result; what else stands in the turn follows them. */
function userMessages(blocks: readonly JsonObject[], path: string): Message[] {
  const results: Message[] = [];
  const parts: ContentPart[] = [];
  for (const [index, block] of blocks.entries()) {
    const at = `${path}[${index}]`;
    if (block["type"] === "tool_result") results.push(toolMessage(block, at));
    else parts.push(partOf(block, at));
  }
  if (parts.length > 0 || results.length === 0) results.push({ role: "user", content: parts });
  return results;
}

function toolMessage(block: JsonObject, path: string): Message {
  const { content } = block;
  return {
    role: "tool",
    tool_call_id: textAt(block["tool_use_id"], `${path}.tool_use_id`),
    content:
      typeof content === "string"
        ? content
        : listOf(content).map((inner, index) => partOf(inner, `${path}.content[${index}]`)),
    ...(block["is_error"] === true && { is_error: true }),
    ...picked(block, ["cache_control"]),
  };
}
