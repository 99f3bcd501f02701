import type { ContentPart, JsonObject, Message } from "../../../contract/index.ts";
import { stringifyJson } from "../../../json/json-text.ts";
import { textPart } from "./blocks.ts";
import { shortName } from "../../fitting/short-name.ts";
import { objectAt, picked, textAt, textIn } from "../../fitting/values.ts";

/** An assistant's turn in the making. */
interface Turn {
  readonly texts: ContentPart[];
  readonly calls: JsonObject[];
  readonly reasoning: JsonObject[];
  /** What an upstream without signatures has thought. */
  unsigned: string;
  readonly others: JsonObject[];
}

/**
 * Returns the assistant message for a turn. Signed thinking is kept in `reasoning_details`, other in `reasoning_content`, and blocks that chat completions have
 * no form for in `content_blocks`, both with their place among the blocks.
 */
export function assistantMessage(blocks: readonly JsonObject[], path: string): Message {
  const turn: Turn = { texts: [], calls: [], reasoning: [], unsigned: "", others: [] };
  for (const [at, block] of blocks.entries()) {
    // Calls come last in a chat, so that they count nothing.
    const index = turn.texts.length + turn.reasoning.length + turn.others.length;
    addBlock(turn, block, { index, path: `${path}[${at}]` });
  }
  const { texts, calls, reasoning, unsigned, others } = turn;
  return {
    role: "assistant",
    content: texts.length > 0 ? texts : null,
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(reasoning.length > 0 && { reasoning_details: reasoning }),
    ...(unsigned !== "" && { reasoning_content: unsigned }),
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
      addThought(turn, block, { index, path });
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

function addThought(turn: Turn, block: JsonObject, { index, path }: Place): void {
  const text = textAt(block["thinking"], `${path}.thinking`);
  const signature = textIn(block["signature"]);
  if (signature === "") turn.unsigned += text;
  else turn.reasoning.push({ type: "reasoning.text", text, signature, index });
}

function toolCall(block: JsonObject, path: string): JsonObject {
  const own = picked(block, ["caller", "toolset_name"]);
  return {
    id: textAt(block["id"], `${path}.id`),
    type: "function",
    function: {
      name: shortName(textAt(block["name"], `${path}.name`)),
      arguments: stringifyJson(objectAt(block["input"] ?? {}, `${path}.input`)),
    },
    ...(Object.keys(own).length > 0 && { extra_content: own }),
    ...picked(block, ["cache_control"]),
  };
}
