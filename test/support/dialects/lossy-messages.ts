import { shortName } from "../../../src/dialects/fitting/short-name.ts";
import type { Json, JsonObject } from "modelyard/plugin";
import { isObject } from "modelyard/kit";

/** What of a Messages request doesn't survive its way through a chat, even to an upstream that speaks Messages. */
export interface LossyCase {
  /** As it stands in docs/dialects.md. */
  readonly name: string;
  readonly result: string;
  /** What the client reads of it in `x-modelyard-ignored`; empty where the meaning stays. */
  readonly told: string;
  /** A request that has such a case. */
  readonly example: JsonObject;
  /** Returns the request as it arrives. */
  readonly apply: (body: JsonObject) => JsonObject;
}

type Block = JsonObject & { readonly type: string };
type Turn = JsonObject & { readonly role: string; readonly content: readonly Block[] };

const user = (...content: readonly Json[]) => ({ role: "user", content });
const assistant = (...content: readonly Json[]) => ({ role: "assistant", content });
const text = (words: string) => ({ type: "text", text: words });
const CALL = { type: "tool_use", id: "call_1", name: "look", input: {} };
const RESULT = { type: "tool_result", tool_use_id: "call_1", content: [text("seen")] };

/** Strings as the blocks that they mean, and members that say nothing left out. */
export function inBlocks(body: JsonObject): JsonObject {
  const blocks = (content: Json | undefined) => (typeof content === "string" ? [text(content)] : content);
  const block = (each: JsonObject): JsonObject => {
    const { is_error: isError, content, ...rest } = each;
    if (each["type"] !== "tool_result") return each;
    return { ...rest, content: blocks(content) ?? [], ...(isError === true && { is_error: true }) };
  };
  const messages = (body["messages"] as JsonObject[]).map((turn) => ({
    ...turn,
    content: (blocks(turn["content"]) as JsonObject[]).map(block),
  }));
  const system = blocks(body["system"]);
  return { ...body, messages, ...(system !== undefined && { system }) };
}

function turns(body: JsonObject): readonly Turn[] {
  return inBlocks(body)["messages"] as unknown as Turn[];
}

const eachTurn =
  (change: (turn: Turn) => JsonObject) =>
  (body: JsonObject): JsonObject => ({ ...body, messages: turns(body).map(change) });

const eachTool =
  (change: (tool: JsonObject) => JsonObject) =>
  (body: JsonObject): JsonObject =>
    Array.isArray(body["tools"]) ? { ...body, tools: (body["tools"] as JsonObject[]).map(change) } : body;

/** The blocks of these types first, or last. */
function sorted(content: readonly Block[], isFirst: (block: Block) => boolean): readonly Block[] {
  return [...content.filter(isFirst), ...content.filter((block) => !isFirst(block))];
}

function merged(all: readonly Turn[]): Turn[] {
  const result: Turn[] = [];
  for (const turn of all) {
    const last = result.at(-1);
    if (last?.role === turn.role)
      result.splice(-1, 1, { ...last, content: [...last.content, ...turn.content] });
    else result.push(turn);
  }
  return result;
}

function without(members: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)));
}

const KNOWN = new Set(
  [
    "model messages max_tokens system tools tool_choice thinking stop_sequences stream metadata output_config",
    "temperature top_p top_k service_tier cache_control container context_management mcp_servers speed betas inference_geo",
  ].flatMap((names) => names.split(" ")),
);

/** All of them, in the order in which they apply. */
export const LOSSY_MESSAGES: readonly LossyCase[] = [
  {
    name: "`role: system` within the conversation",
    result: "stands with the other instructions, at the beginning",
    told: "",
    example: { messages: [user(text("a")), { role: "system", content: "b" }, user(text("c"))] },
    apply(body) {
      const all = turns(body);
      const own = all.filter(({ role }) => role === "system").flatMap(({ content }) => content);
      if (own.length === 0) return body;
      const system = [...((inBlocks(body)["system"] as Block[] | undefined) ?? []), ...own];
      return { ...body, system, messages: all.filter(({ role }) => role !== "system") };
    },
  },
  {
    name: "the attribution block of Claude Code (`x-anthropic-billing-header:`)",
    result: "left out: it changes with the first question, and would defeat prompt caches",
    told: "",
    example: {
      system: [text("x-anthropic-billing-header: a=b"), text("Be kind.")],
      messages: [user(text("a"))],
    },
    apply(body) {
      if (!Array.isArray(body["system"])) return body;
      const isOther = (block: JsonObject) =>
        !String(block["text"] as string).startsWith("x-anthropic-billing");
      return { ...body, system: (body["system"] as JsonObject[]).filter(isOther) };
    },
  },
  {
    name: "members of a turn beside its content (`output_config` …)",
    result: "left out",
    told: "messages[].output_config",
    example: { messages: [{ ...user(text("a")), output_config: { effort: "low" } }] },
    apply: eachTurn(({ role, content }) => ({ role, content })),
  },
  {
    name: "text before a tool's result",
    result: "stands behind the results of its turn",
    told: "",
    example: { messages: [user(text("a")), assistant(CALL), user(text("b"), RESULT)] },
    apply: eachTurn(({ role, content }) => ({
      role,
      content: role === "user" ? sorted(content, ({ type }) => type === "tool_result") : content,
    })),
  },
  {
    name: "text or thinking after a tool call",
    result: "stands before the calls of its turn",
    told: "",
    example: { messages: [user(text("a")), assistant(CALL, text("b")), user(RESULT)] },
    apply: eachTurn(({ role, content }) => ({
      role,
      content: role === "assistant" ? sorted(content, ({ type }) => type !== "tool_use") : content,
    })),
  },
  {
    name: "thinking without a signature",
    result: "left out; upstreams that gave it in plain text get it back",
    told: "messages[].thinking",
    example: {
      messages: [
        user(text("a")),
        assistant({ type: "thinking", thinking: "Hm.", signature: "" }, text("b")),
        user(text("c")),
      ],
    },
    apply: eachTurn((turn) => ({
      ...turn,
      content: turn.content.filter(
        ({ type, ["signature"]: signature }) => type !== "thinking" || signature !== "",
      ),
    })),
  },
  {
    name: "thinking that nothing follows",
    result: "left out: the API refuses it",
    told: "messages[].thinking",
    example: {
      messages: [
        user(text("a")),
        assistant(text("b"), { type: "thinking", thinking: "Hm.", signature: "s" }),
        user(text("c")),
      ],
    },
    apply: eachTurn((turn) => {
      const isThought = ({ type }: Block) => type === "thinking" || type === "redacted_thinking";
      const end = turn.content.findLastIndex((block) => !isThought(block)) + 1;
      return turn.role === "assistant" ? { ...turn, content: turn.content.slice(0, end) } : turn;
    }),
  },
  {
    name: "turns of one role after each other",
    result: "one turn",
    told: "",
    example: { messages: [user(text("a")), user(text("b"))] },
    apply: (body) => ({ ...body, messages: merged(turns(body)) }),
  },
  {
    name: "`metadata.user_id`",
    result: "its SHA-256: other upstreams take 64 characters",
    told: "",
    example: { metadata: { user_id: "someone" }, messages: [user(text("a"))] },
    apply(body) {
      const id = isObject(body["metadata"]) ? body["metadata"]["user_id"] : undefined;
      if (typeof id !== "string") return body;
      const hash = new Bun.CryptoHasher("sha256").update(id).digest("hex");
      return { ...body, metadata: { user_id: hash } };
    },
  },
  {
    name: "`$schema` of a tool's schema",
    result: "left out: some upstreams refuse it",
    told: "",
    example: {
      tools: [{ name: "f", input_schema: { $schema: "x", type: "object", properties: {} } }],
      messages: [user(text("a"))],
    },
    apply: eachTool((tool) =>
      isObject(tool["input_schema"])
        ? { ...tool, input_schema: without(tool["input_schema"], "$schema") }
        : tool,
    ),
  },
  {
    name: "a name of a tool with more than 64 characters",
    result: "cut, with a hash at its end; calls come back with the whole name",
    told: "",
    example: {
      tools: [{ name: "f".repeat(65), input_schema: { type: "object", properties: {} } }],
      messages: [user(text("a"))],
    },
    apply: eachTool((tool) => ({ ...tool, name: shortName(tool["name"] as string) })),
  },
  {
    name: "`type: custom` of a tool",
    result: "left out: it is what a tool without a type is",
    told: "",
    example: {
      tools: [{ type: "custom", name: "f", input_schema: { type: "object", properties: {} } }],
      messages: [user(text("a"))],
    },
    apply: eachTool((tool) => (tool["type"] === "custom" ? without(tool, "type") : tool)),
  },
  {
    name: "`tool_choice` without tools",
    result: "left out",
    told: "",
    example: { tool_choice: { type: "auto" }, messages: [user(text("a"))] },
    apply: (body) => (body["tools"] === undefined ? without(body, "tool_choice") : body),
  },
  {
    name: "members that no one knows, as `mystery`",
    result: "left out",
    told: "mystery",
    example: { mystery: 1, messages: [user(text("a"))] },
    apply: (body) => Object.fromEntries(Object.entries(body).filter(([name]) => KNOWN.has(name))),
  },
];
