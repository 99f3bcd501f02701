import type { ContentPart, JsonObject, Message } from "../../../contract/index.ts";
import { stringifyJson } from "../../../json/json-text.ts";
import { textPart } from "./blocks.ts";
import { objectAt, picked, textAt, textIn } from "../../fitting/values.ts";

/** An assistant's turn in the making. */
interface Turn {
  readonly texts: ContentPart[];
  readonly calls: JsonObject[];
  readonly reasoning: JsonObject[];
  readonly others: JsonObject[];
}

/**
 * Returns the assistant message for a turn. Thinking is kept in `reasoning_details`, and blocks that chat completions have
 * no form for in `content_blocks`, both with their place among the blocks.
 */
export function assistantMessage(blocks: readonly JsonObject[], path: string): Message {
  const turn: Turn = { texts: [], calls: [], reasoning: [], others: [] };
  for (const [index, block] of blocks.entries()) addBlock(turn, block, { index, path: `${path}[${index}]` });
  const { texts, calls, reasoning, others } = turn;
  return {
    role: "assistant",
    content: texts.length > 0 ? texts : null,
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(reasoning.length > 0 && { reasoning_details: reasoning }),
    ...(others.length > 0 && { content_blocks: others }),
  };
}

interface Place {
  readonly index: number;
  readonly path: string;
}

function addBlock(turn: Turn, block: JsonObject, { index, path }: Place): void {
  switch (textIn(block["type"])) {
    case "text":
      turn.texts.push(textPart(block, path));
      break;
    case "tool_use":
      turn.calls.push(toolCall(block, path));
      break;
    case "thinking":
      turn.reasoning.push(thought(block, { index, path }));
      break;
    case "redacted_thinking": {
      const data = textAt(block["data"], `${path}.data`);
      turn.reasoning.push({ type: "reasoning.encrypted", data, index });
      break;
    }
    default:
      turn.others.push({ index, ...block });
  }
}

/** An unsigned thought is one that an upstream without signatures had. */
function thought(block: JsonObject, { index, path }: Place): JsonObject {
  const text = textAt(block["thinking"], `${path}.thinking`);
  const { signature } = block;
  const isSigned = typeof signature === "string" && signature !== "";
  return { type: "reasoning.text", text, ...(isSigned && { signature }), index };
}

function toolCall(block: JsonObject, path: string): JsonObject {
  const own = picked(block, ["caller", "toolset_name"]);
  return {
    id: textAt(block["id"], `${path}.id`),
    type: "function",
    function: {
      name: textAt(block["name"], `${path}.name`),
      arguments: stringifyJson(objectAt(block["input"] ?? {}, `${path}.input`)),
    },
    ...(Object.keys(own).length > 0 && { extra_content: own }),
    ...picked(block, ["cache_control"]),
  };
}
