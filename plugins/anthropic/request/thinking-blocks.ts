import { asNumber, asObjects, asString } from "modelyard/kit";
import type { JsonObject } from "modelyard/plugin";
import type { Block, Placed } from "./parts.ts";

/** A block that came from the model, and its place among the blocks of its answer. */
export interface BlockInPlace {
  readonly index: number;
  readonly block: Block;
}

interface Thought {
  text: string | undefined;
  signature: string;
  data: string;
}

/**
 * The thinking blocks of an assistant's message, from `reasoning_details` as the gateway gave them out, be they
 * whole or in the pieces of a stream. Reasoning without a signature can't be given back, and is named.
 */
export function thoughtBlocks({ message, call }: Placed): BlockInPlace[] {
  const details = asObjects(message["reasoning_details"]);
  const ours = details.filter(isOurs);
  const thoughts = gathered(ours);
  const reasoning = asString(message["reasoning_content"]) || asString(message["reasoning"]);
  // A signature without its text is that of a thought that wasn't told, unless there is a text: then the client has
  // lost what belonged to it, as the openai package's own stream does, and half a thought is refused.
  const isWhole = ({ text, signature, data }: Thought) =>
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

function blockOf({ text = "", signature, data }: Thought): Block {
  return data === "" ? { type: "thinking", thinking: text, signature } : { type: "redacted_thinking", data };
}

function gathered(details: readonly JsonObject[]): ReadonlyMap<number, Thought> {
  const thoughts = new Map<number, Thought>();
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

/** Whether a detail may be Anthropic's: those of others can't be told by it, and would be refused. */
function isOurs(detail: JsonObject): boolean {
  const format = asString(detail["format"]);
  const isKnown = detail["type"] === "reasoning.text" || detail["type"] === "reasoning.encrypted";
  return isKnown && (format === "" || format.startsWith("anthropic"));
}
