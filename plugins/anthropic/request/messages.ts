import { readConversation } from "modelyard/kit";
import type { ConversationMessage, ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, JsonObject } from "modelyard/plugin";
import { assistantContent } from "./assistant.ts";
import { unsupported } from "./errors.ts";
import { contentBlocks, marked, markLast, nameIgnored } from "./parts.ts";
import type { Block, Content } from "./parts.ts";

/** A conversation in the Messages API's form. */
export interface Conversation {
  readonly system: readonly Block[];
  readonly messages: readonly JsonObject[];
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: Block[];
}

interface Way {
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/**
 * The conversation in Anthropic's form. All `system` and `developer` messages, wherever they stand, become `system`
 * blocks in their order, and the user's turn where there is nothing else; neighbours of one role become one turn; `tool`
 * and `function` messages become `tool_result` blocks, which begin a user's turn. Throws `unsupported` or `bad-request`
 * with the place at fault.
 */
export function mapMessages(request: ChatRequest, { names, call }: Way): Conversation {
  const system: Block[] = [];
  const turns: Turn[] = [];
  for (const message of readConversation(request.messages, { toolCallId, call })) {
    const { role, content } = contentOf({ ...message, call }, names);
    const isMarked = markLast(role === "system" ? system : (turns.at(-1)?.content ?? []), content.markBefore);
    if (!isMarked)
      call.ignored("messages[].content[].cache_control", "there is no block that could have the mark");
    if (role === "system") system.push(...content.blocks);
    else if (content.blocks.length > 0) turnOf(turns, role).content.push(...content.blocks);
  }
  // The API refuses instructions without a conversation.
  if (turns.length === 0) turnOf(turns, "user").content.push(...system.splice(0));
  return { system, messages: turns.map(({ role, content }) => ({ role, content })) };
}

type Placed = ConversationMessage & { readonly call: Way["call"] };

function contentOf(placed: Placed, names: ToolNames): { role: Turn["role"] | "system"; content: Content } {
  switch (placed.role) {
    case "system":
      return { role: "system", content: instructions(placed) };
    case "user":
      return { role: "user", content: userContent(placed) };
    case "assistant":
      return { role: "assistant", content: assistantContent(placed, names) };
    case "tool":
      return { role: "user", content: toolResult(placed) };
  }
}

/** A tool call's id as the Messages API takes it: other upstreams make ids with other characters. */
function toolCallId(id: string): string {
  return id.replaceAll(/[^a-zA-Z0-9_-]/g, "_");
}

function turnOf(turns: Turn[], role: Turn["role"]): Turn {
  const last = turns.at(-1);
  if (last?.role === role) return last;
  const turn: Turn = { role, content: [] };
  turns.push(turn);
  return turn;
}

const KNOWN = new Set(["role", "content", "cache_control"]);
const KNOWN_OF_RESULTS = new Set([...KNOWN, "tool_call_id", "is_error"]);
const KNOWN_OF_FUNCTIONS = new Set([...KNOWN, "name", "is_error"]);

function userContent(placed: Placed): Content {
  nameIgnored(placed, KNOWN);
  return marked(contentBlocks(placed), placed.message);
}

function instructions(placed: Placed): Content {
  const content = userContent(placed);
  const other = content.blocks.findIndex((block) => block["type"] !== "text");
  if (other >= 0) throw unsupported("takes only text as instructions", `${placed.place}.content[${other}]`);
  return content;
}

/** What a failed tool is given as its output where it has none: the API refuses an error without content. */
const FAILED = "The tool failed without output.";

function toolResult(placed: Placed): Content {
  const { message, call, answers } = placed;
  nameIgnored(placed, message.role === "function" ? KNOWN_OF_FUNCTIONS : KNOWN_OF_RESULTS);
  const { blocks, markBefore: mark } = contentBlocks(placed);
  const isText = blocks.every(({ type }) => type === "text");
  const isError = message["is_error"] === true && isText;
  if (message["is_error"] === true && !isText)
    call.ignored("messages[].is_error", "a result that is an error has only text in this API");
  const content = typeof message.content === "string" ? message.content : blocks;
  const result: Block = {
    type: "tool_result",
    tool_use_id: answers?.id ?? "",
    ...(blocks.length > 0 ? { content } : isError && { content: FAILED }),
    ...(isError && { is_error: true }),
  };
  return marked(marked({ blocks: [result] }, message), { role: "tool", cache_control: mark });
}
