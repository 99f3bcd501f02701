import type { Json, JsonObject } from "../../../src/contract/json.ts";

const ALPHABET = ["a", "e", "n", "t", " ", "\n", '"', "\\", "é", "ß", "中", "\u2028", "😀", "👩‍🔬", "data: "];

/**
 * A text of exactly `length` UTF-16 units that depends on nothing but its arguments: letters, line ends,
 * quotes, other alphabets and surrogate pairs (the last one may be cut in half).
 */
export function generatedText(seed: number, length: number): string {
  let state = seed >>> 0;
  let text = "";
  while (text.length < length) {
    // Numerical Recipes' linear congruential generator: the high bits are good enough to pick letters.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += ALPHABET[(state >>> 16) % ALPHABET.length];
  }
  return text.slice(0, length);
}

/** The last user message itself, or, where it contains `#gen SEED LENGTH`, that generated text. */
export function defaultAnswer(promptMeta: JsonObject): string {
  const said = lastUserText(promptMeta["messages"]);
  const order = /#gen (\d+) (\d+)/.exec(said);
  return order ? generatedText(Number(order[1]), Number(order[2])) : said;
}

/** Cumulative snapshots that grow by `units` UTF-16 units; they cut surrogate pairs where it falls so. */
export function everyUnits(units: number): (text: string) => readonly string[] {
  return (text) => {
    const snapshots: string[] = [];
    for (let end = units; end < text.length; end += units) snapshots.push(text.slice(0, end));
    return [...snapshots, text];
  };
}

/** At most `count` cumulative snapshots of about equal growth. */
export function inPieces(count: number): (text: string) => readonly string[] {
  return (text) => everyUnits(Math.max(1, Math.ceil(text.length / count)))(text);
}

function lastUserText(messages: Json | undefined): string {
  if (!Array.isArray(messages)) return "";
  const last = messages.findLast((message: Json) => isObject(message) && message["role"] === "user");
  return isObject(last) ? contentText(last["content"]) : "";
}

function contentText(content: Json | undefined): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part: Json) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
