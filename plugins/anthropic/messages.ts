import type { Call, ChatRequest, JsonObject, Message } from "modelyard/plugin";
import { assistantBlocks } from "./assistant.ts";
import { badRequest, unsupported } from "./errors.ts";
import { functionCallId, toolUseId } from "./ids.ts";
import { textOf } from "./json.ts";
import { contentBlocks, isBlank, marked, nameIgnored } from "./parts.ts";
import type { Block, Placed } from "./parts.ts";

/** A conversation in the Messages API's form. */
export interface Conversation {
  readonly system: readonly Block[];
  readonly messages: readonly JsonObject[];
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: Block[];
}

/**
 * The conversation in Anthropic's form. All `system` and `developer` messages, wherever they stand, become `system`
 * blocks in their order, and the user's turn where there is nothing else; neighbours of one role become one turn; `tool`
 * and `function` messages become `tool_result` blocks of a user's turn. Throws `unsupported` or `bad-request` with the
 * place at fault.
 */
export function mapMessages(request: ChatRequest, call: Pick<Call, "ignored">): Conversation {
  const system: Block[] = [];
  const turns: Turn[] = [];
  for (const [index, message] of request.messages.entries()) {
    const placed = { message, place: `messages[${index}]`, call };
    const role = ROLES.get(message.role);
    if (!role) throw badRequest(`there is no role ${message.role}`, `${placed.place}.role`);
    const blocks = marked(role.blocks(placed, index), message);
    if (role.turn === "system") system.push(...blocks);
    else if (blocks.length > 0) turnOf(turns, role.turn).content.push(...blocks);
  }
  // The API refuses instructions without a conversation.
  if (turns.length === 0 && system.length > 0) turnOf(turns, "user").content.push(...system.splice(0));
  return { system, messages: turns.map(({ role, content }) => ({ role, content })) };
}

interface Role {
  readonly turn: Turn["role"] | "system";
  readonly blocks: (placed: Placed, index: number) => readonly Block[];
}

const ROLES = new Map<string, Role>([
  ["system", { turn: "system", blocks: instructions }],
  ["developer", { turn: "system", blocks: instructions }],
  ["user", { turn: "user", blocks: userBlocks }],
  ["assistant", { turn: "assistant", blocks: assistantBlocks }],
  ["tool", { turn: "user", blocks: (placed) => [toolResult(placed, toolCallId(placed))] }],
  ["function", { turn: "user", blocks: functionResult }],
]);

function turnOf(turns: Turn[], role: Turn["role"]): Turn {
  const last = turns.at(-1);
  if (last?.role === role) return last;
  const turn: Turn = { role, content: [] };
  turns.push(turn);
  return turn;
}

const KNOWN = new Set(["role", "content", "cache_control"]);
const KNOWN_OF_RESULTS = new Set([...KNOWN, "tool_call_id", "is_error"]);
const KNOWN_OF_FUNCTIONS = new Set([...KNOWN, "name"]);

function userBlocks(placed: Placed): Block[] {
  nameIgnored(placed, KNOWN);
  return contentBlocks(placed);
}

function instructions(placed: Placed): Block[] {
  nameIgnored(placed, KNOWN);
  const blocks = contentBlocks(placed);
  const other = blocks.findIndex((block) => block["type"] !== "text");
  if (other >= 0) throw unsupported("takes only text as instructions", `${placed.place}.content[${other}]`);
  return blocks;
}

function toolCallId(placed: Placed): string {
  nameIgnored(placed, KNOWN_OF_RESULTS);
  const id = textOf(placed.message["tool_call_id"]);
  if (id === "") throw badRequest("a tool message needs a tool_call_id", `${placed.place}.tool_call_id`);
  return toolUseId(id);
}

/** The result of the call that the message before asked for: function calls had no ids, so its place names it. */
function functionResult(placed: Placed, index: number): readonly Block[] {
  nameIgnored(placed, KNOWN_OF_FUNCTIONS);
  return [toolResult(placed, functionCallId(index - 1))];
}

function toolResult(placed: Placed, id: string): Block {
  const { message } = placed;
  const content = contentOfResult(message, placed);
  return {
    type: "tool_result",
    tool_use_id: id,
    ...(content && { content }),
    ...(typeof message["is_error"] === "boolean" && { is_error: message["is_error"] }),
  };
}

function contentOfResult({ content }: Message, placed: Placed): Block["content"] {
  if (typeof content === "string") return isBlank(content) ? undefined : content;
  const blocks = contentBlocks(placed);
  return blocks.length > 0 ? blocks : undefined;
}
