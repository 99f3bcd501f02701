import { asNumber, asObjects, asString } from "modelyard/kit";
import type { JsonObject } from "modelyard/plugin";
import type { Block, LocatedMessage } from "./parts.ts";

/** A block of the model's answer and its index there. */
export interface IndexedBlock {
  readonly index: number;
  readonly block: Block;
}

interface ThinkingBlock {
  text: string | undefined;
  signature: string;
  data: string;
}

/**
 * Restores the thinking blocks of an assistant message from `reasoning_details`, whole or in the pieces of a stream.
 * Reasoning without a signature can't be restored and is reported as ignored.
 */
export function thinkingBlocks({ message, call }: LocatedMessage): IndexedBlock[] {
  const details = asObjects(message["reasoning_details"]);
  const ours = details.filter(isAnthropicDetail);
  const thoughts = mergeDetails(ours);
  const reasoning = asString(message["reasoning_content"]) || asString(message["reasoning"]);
  // A signature without a text belongs to omitted thinking, unless the message has a reasoning text: then the client
  // has lost the block's text, as the openai package's stream does, and the API rejects half a block.
  const isWhole = ({ text, signature, data }: ThinkingBlock) =>
    data !== "" || (signature !== "" && (text !== undefined || reasoning === ""));
  const signed = [...thoughts].filter(([, thought]) => isWhole(thought));
  const isUnsigned = signed.length < thoughts.size || (details.length === 0 && reasoning !== "");
  if (isUnsigned || ours.length < details.length) {
    const name = details.length === 0 ? "reasoning_content" : "reasoning_details";
    call.ignored(
      `messages[].${name}`,
      "reasoning that this API did not sign, or that isn't whole, can't be given back to it",
    );
  }
  return signed.map(([index, thought]) => ({ index, block: blockOf(thought) }));
}

function blockOf({ text = "", signature, data }: ThinkingBlock): Block {
  return data === "" ? { type: "thinking", thinking: text, signature } : { type: "redacted_thinking", data };
}

function mergeDetails(details: readonly JsonObject[]): ReadonlyMap<number, ThinkingBlock> {
  const thoughts = new Map<number, ThinkingBlock>();
  for (const detail of details) {
    const index = asNumber(detail["index"]) ?? 0;
    const thought = thoughts.get(index) ?? { text: undefined, signature: "", data: "" };
    thoughts.set(index, thought);
    if (typeof detail["text"] === "string") thought.text = (thought.text ?? "") + detail["text"];
    thought.signature ||= asString(detail["signature"]);
    thought.data += asString(detail["data"]);
  }
  return thoughts;
}

/** Returns whether a detail may be Anthropic's; the API rejects those of other upstreams. */
function isAnthropicDetail(detail: JsonObject): boolean {
  const format = asString(detail["format"]);
  const isKnown = detail["type"] === "reasoning.text" || detail["type"] === "reasoning.encrypted";
  return isKnown && (format === "" || format.startsWith("anthropic"));
}
