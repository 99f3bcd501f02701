import { asNumber, asObject, asObjects, asString, isAbsent } from "modelyard/kit";
import type { ConversationMessage, MaybeJson, ToolCall, ToolNames } from "modelyard/kit";
import type { JsonObject } from "modelyard/plugin";
import { unsupported } from "./errors.ts";
import { contentBlocks, marked, nameIgnored } from "./parts.ts";
import type { Block, Content, Placed } from "./parts.ts";
import { thoughtBlocks } from "./thinking-blocks.ts";
import type { BlockInPlace } from "./thinking-blocks.ts";

const KNOWN = new Set([
  "role",
  "content",
  "cache_control",
  "refusal",
  "tool_calls",
  "function_call",
  "audio",
  "reasoning_content",
  "reasoning_details",
  "content_blocks",
  // What upstreams said about an answer, and nothing that the next turn needs.
  "reasoning",
  "annotations",
  "text_citations",
]);

/**
 * The blocks of an assistant's message. Thinking and server tools' blocks come back where they stood among the
 * blocks of the answer, because their order is signed; texts fill the places between them, and tool calls end them.
 */
export function assistantContent(
  placed: Placed & Pick<ConversationMessage, "toolCalls">,
  names: ToolNames,
): Content {
  const { message, place, toolCalls } = placed;
  nameIgnored(placed, KNOWN);
  if (!isAbsent(message["audio"])) throw unsupported("takes no audio", `${place}.audio`);
  const refusal = asString(message["refusal"]);
  const content = contentBlocks(placed);
  const texts = [...content.blocks, ...(refusal === "" ? [] : [{ type: "text", text: refusal }])];
  const calls = toolCalls.map((call) => toolUse(call, names));
  const own = [...thoughtBlocks(placed), ...serverBlocks(message["content_blocks"])];
  const said = woven(
    own.toSorted((one, other) => one.index - other.index),
    texts,
  );
  const blocks = calls.length > 0 ? [...said, ...calls] : withoutLastThoughts(said, placed);
  return marked({ ...content, blocks }, message);
}

/**
 * Texts that were one next to the other have become one, so places count less and less; but calls are always last: they
 * are what a turn ends with.
 */
function woven(own: readonly BlockInPlace[], texts: readonly Block[]): readonly Block[] {
  const left = [...texts];
  const blocks: Block[] = [];
  for (const { index, block } of own) {
    blocks.push(...left.splice(0, Math.max(0, index - blocks.length)), block);
  }
  return [...blocks, ...left];
}

/** An answer that was cut off while the model thought: thinking that nothing follows is refused. */
function withoutLastThoughts(blocks: readonly Block[], { call }: Placed): readonly Block[] {
  const end = blocks.findLastIndex(({ type }) => type !== "thinking" && type !== "redacted_thinking") + 1;
  if (end < blocks.length) {
    call.ignored("messages[].reasoning_details", "reasoning that nothing follows can't be given back");
  }
  return blocks.slice(0, end);
}

function serverBlocks(value: MaybeJson): BlockInPlace[] {
  return asObjects(value)
    .filter((each) => asString(each["type"]) !== "")
    .map(({ index, ...block }) => ({ index: asNumber(index) ?? 0, block }));
}

function toolUse({ id, name, arguments: input, given }: ToolCall, names: ToolNames): Block {
  return { type: "tool_use", id, name: names.toUpstream(name), input, ...ownMembers(given) };
}

/** What Anthropic's models said of a call beside its name and input. */
function ownMembers(call: JsonObject): JsonObject {
  const { caller, toolset_name: toolset } = asObject(call["extra_content"]) ?? {};
  const mark = call["cache_control"];
  return {
    ...(asObject(caller) && { caller }),
    ...(typeof toolset === "string" && { toolset_name: toolset }),
    ...(asObject(mark) && { cache_control: mark }),
  };
}
