import type { ChatRequest, Json, JsonObject } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { isObject } from "../../contract/json.ts";
import { effortOf } from "./effort.ts";
import type { Known } from "./known.ts";
import { knownMembers, leaveOut } from "./known.ts";
import { messagesFor } from "./messages-for.ts";
import { textIn } from "./values.ts";

/** The members of chat completions that translations write. */
const MEMBERS = new Set([
  "model",
  "messages",
  "max_tokens",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "stop",
  "safety_identifier",
  "metadata",
  "response_format",
  "service_tier",
  "temperature",
  "top_p",
  "stream",
]);

/** What makes no sense without tools. */
const OF_TOOLS = ["tools", "tool_choice", "parallel_tool_calls"];

/**
 * Returns a translated chat request without what an upstream doesn't know: it has chat completions' own form where that can
 * say the same, and else is left out and named. Throws UpstreamError `unsupported` where the answer would miss its purpose.
 */
export function chatFor(chat: ChatRequest, known: Known): ChatRequest {
  const fitted: Record<string, Json | undefined> = {};
  for (const name of Object.keys(chat)) {
    if (MEMBERS.has(name) || known.extensions.has(name)) fitted[name] = chat[name];
    else leaveOutMember(name, chat[name], known);
  }
  const effort = known.extensions.has("thinking")
    ? undefined
    : effortOf(chat["thinking"], chat["output_config"]);
  if (effort !== undefined) fitted["reasoning_effort"] = effort;
  const tools = toolsFor(chat, known);
  if (tools.length > 0) fitted["tools"] = tools;
  else for (const name of OF_TOOLS) delete fitted[name];
  return { ...fitted, model: chat.model, messages: messagesFor(chat.messages, known) };
}

function leaveOutMember(name: string, value: Json | undefined, known: Known): void {
  if (name === "mcp_servers" && Array.isArray(value) && value.length > 0)
    throw new UpstreamError("unsupported", "the upstream can't use MCP servers", { param: name });
  // Left out, a turn would be answered without the history that the thread stands for.
  if (name === "thread" && value !== null) {
    const isContinued = isObject(value) && value["type"] === "continue";
    throw new UpstreamError("unsupported", "the upstream keeps no threads; send the whole conversation", {
      param: isContinued ? "thread.previous_message_id" : name,
    });
  }
  if (name !== "output_config") return leaveOut(name, known);
  for (const part of Object.keys(isObject(value) ? value : {}))
    if (part !== "effort") leaveOut(`${name}.${part}`, known);
}

function toolsFor(chat: ChatRequest, known: Known): readonly JsonObject[] {
  const all = Array.isArray(chat["tools"]) ? (chat["tools"] as JsonObject[]) : [];
  const tools = all.flatMap((tool) => toolFor(tool, known));
  if (tools.length < all.length) requireChosen(chat["tool_choice"], tools, all);
  return tools;
}

const TOOL_MEMBERS = { own: new Set(["type", "function"]), place: "tools[]" };

function toolFor(tool: JsonObject, known: Known): JsonObject[] {
  if (isObject(tool["function"])) return [knownMembers(tool, TOOL_MEMBERS, known)];
  if (known.extensions.has("server_tools")) return [tool];
  leaveOut(`tools[].${textIn(tool["type"])}`, known);
  return [];
}

/** A choice that demands a tool which was left out can't be honoured. */
function requireChosen(
  choice: Json | undefined,
  tools: readonly JsonObject[],
  all: readonly JsonObject[],
): void {
  const name = isObject(choice) && isObject(choice["function"]) ? choice["function"]["name"] : undefined;
  const isLeftOut = name !== undefined && all.some((tool) => tool["name"] === name);
  if (!(choice === "required" && tools.length === 0) && !isLeftOut) return;
  throw new UpstreamError("unsupported", "the upstream can't run the tool that is demanded", {
    param: "tool_choice",
  });
}
