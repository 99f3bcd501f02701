import { asNumber, asObject, asObjects, asString, isAbsent } from "modelyard/kit";
import type { ConversationMessage, MaybeJson, ToolCall, ToolNames } from "modelyard/kit";
import type { JsonObject } from "modelyard/plugin";
import { unsupported } from "./errors.ts";
import { contentBlocks, withCacheControl, reportIgnored } from "./parts.ts";
import type { Block, Content, LocatedMessage } from "./parts.ts";
import { thinkingBlocks } from "./thinking-blocks.ts";
import type { IndexedBlock } from "./thinking-blocks.ts";

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
  // Members of upstreams' answers that the next turn doesn't need.
  "reasoning",
  "annotations",
  "text_citations",
]);

/**
 * Returns the blocks of an assistant message. Thinking and server tool blocks keep their index in the answer, because
 * their order is signed; texts fill the gaps, and tool calls come last.
 */
export function assistantContent(
  located: LocatedMessage & Pick<ConversationMessage, "toolCalls">,
  names: ToolNames,
): Content {
  const { message, place, toolCalls } = located;
  reportIgnored(located, KNOWN);
  if (!isAbsent(message["audio"])) throw unsupported("takes no audio", `${place}.audio`);
  const refusal = asString(message["refusal"]);
  const content = contentBlocks(located);
  const texts = [...content.blocks, ...(refusal === "" ? [] : [{ type: "text", text: refusal }])];
  const calls = toolCalls.map((call) => toolUse(call, names));
  const own = [...thinkingBlocks(located), ...serverBlocks(message["content_blocks"])];
  const ordered = interleave(
    own.toSorted((one, other) => one.index - other.index),
    texts,
  );
  const blocks = calls.length > 0 ? [...ordered, ...calls] : dropTrailingThinking(ordered, located);
  return withCacheControl({ ...content, blocks }, message);
}

/** Inserts blocks at their indexes among texts. Adjacent texts may have been joined, so later indexes can be too high. */
function interleave(own: readonly IndexedBlock[], texts: readonly Block[]): readonly Block[] {
  const left = [...texts];
  const blocks: Block[] = [];
  for (const { index, block } of own) {
    blocks.push(...left.splice(0, Math.max(0, index - blocks.length)), block);
  }
  return [...blocks, ...left];
}

/** Drops thinking at the end of a truncated answer: the API rejects thinking that no block follows. */
function dropTrailingThinking(blocks: readonly Block[], { call }: LocatedMessage): readonly Block[] {
  const end = blocks.findLastIndex(({ type }) => type !== "thinking" && type !== "redacted_thinking") + 1;
  if (end < blocks.length) {
    call.ignored("messages[].reasoning_details", "reasoning that nothing follows can't be given back");
  }
  return blocks.slice(0, end);
}

function serverBlocks(value: MaybeJson): IndexedBlock[] {
  return asObjects(value)
    .filter((each) => asString(each["type"]) !== "")
    .map(({ index, ...block }) => ({ index: asNumber(index) ?? 0, block }));
}

function toolUse({ id, name, arguments: input, given }: ToolCall, names: ToolNames): Block {
  return { type: "tool_use", id, name: names.toUpstream(name), input, ...nativeMembers(given) };
}

/** Returns the members of a call, besides name and input, that came from Anthropic's models. */
function nativeMembers(call: JsonObject): JsonObject {
  const { caller, toolset_name: toolset } = asObject(call["extra_content"]) ?? {};
  const mark = call["cache_control"];
  return {
    ...(asObject(caller) && { caller }),
    ...(typeof toolset === "string" && { toolset_name: toolset }),
    ...(asObject(mark) && { cache_control: mark }),
  };
}
