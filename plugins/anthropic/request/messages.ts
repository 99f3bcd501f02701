import { readConversation } from "modelyard/kit";
import type { ConversationMessage, ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, JsonObject } from "modelyard/plugin";
import { assistantContent } from "./assistant.ts";
import { unsupported } from "./errors.ts";
import { contentBlocks, withCacheControl, setCacheControl, reportIgnored } from "./parts.ts";
import type { Block, Content } from "./parts.ts";

/** The conversation of a Messages API request. */
export interface Conversation {
  readonly system: readonly Block[];
  readonly messages: readonly JsonObject[];
}

interface Turn {
  readonly role: "user" | "assistant";
  readonly content: Block[];
}

interface MessagesContext {
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/**
 * Maps the conversation. All `system` and `developer` messages become `system` blocks in their order, or the user's
 * turn if there is no other message. Adjacent messages of one role become one turn. `tool` and `function` messages
 * become `tool_result` blocks, which begin a user's turn. Throws `unsupported` or `bad-request` with the path at
 * fault.
 */
export function mapMessages(request: ChatRequest, { names, call }: MessagesContext): Conversation {
  const system: Block[] = [];
  const turns: Turn[] = [];
  for (const message of readConversation(request.messages, { toolCallId, call })) {
    const { role, content } = contentOf({ ...message, call }, names);
    const isMarked = setCacheControl(
      role === "system" ? system : (turns.at(-1)?.content ?? []),
      content.cacheControlBefore,
    );
    if (!isMarked)
      call.ignored("messages[].content[].cache_control", "there is no block that could have the mark");
    if (role === "system") system.push(...content.blocks);
    else if (content.blocks.length > 0) turnOf(turns, role).content.push(...content.blocks);
  }
  // The API rejects instructions without a conversation.
  if (turns.length === 0) turnOf(turns, "user").content.push(...system.splice(0));
  return { system, messages: turns.map(({ role, content }) => ({ role, content })) };
}

type Placed = ConversationMessage & { readonly call: MessagesContext["call"] };

function contentOf(located: Placed, names: ToolNames): { role: Turn["role"] | "system"; content: Content } {
  switch (located.role) {
    case "system":
      return { role: "system", content: instructions(located) };
    case "user":
      return { role: "user", content: userContent(located) };
    case "assistant":
      return { role: "assistant", content: assistantContent(located, names) };
    case "tool":
      return { role: "user", content: toolResult(located) };
  }
}

/** Replaces the characters that the Messages API rejects in tool call ids of other upstreams. */
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

function userContent(located: Placed): Content {
  reportIgnored(located, KNOWN);
  return withCacheControl(contentBlocks(located), located.message);
}

function instructions(located: Placed): Content {
  const content = userContent(located);
  const other = content.blocks.findIndex((block) => block["type"] !== "text");
  if (other >= 0) throw unsupported("takes only text as instructions", `${located.place}.content[${other}]`);
  return content;
}

/** The output of a failed tool without one: the API rejects an error without content. */
const FAILED_OUTPUT = "The tool failed without output.";

function toolResult(located: Placed): Content {
  const { message, call, answers } = located;
  reportIgnored(located, message.role === "function" ? KNOWN_OF_FUNCTIONS : KNOWN_OF_RESULTS);
  const { blocks, cacheControlBefore: mark } = contentBlocks(located);
  const isText = blocks.every(({ type }) => type === "text");
  const isError = message["is_error"] === true && isText;
  if (message["is_error"] === true && !isText)
    call.ignored("messages[].is_error", "a result that is an error has only text in this API");
  const content = typeof message.content === "string" ? message.content : blocks;
  const result: Block = {
    type: "tool_result",
    tool_use_id: answers?.id ?? "",
    ...(blocks.length > 0 ? { content } : isError && { content: FAILED_OUTPUT }),
    ...(isError && { is_error: true }),
  };
  return withCacheControl(withCacheControl({ blocks: [result] }, message), {
    role: "tool",
    cache_control: mark,
  });
}
