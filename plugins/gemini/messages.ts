import { parseAsWritten } from "modelyard/kit";
import type { Call, ChatRequest, ContentPart, Json, JsonObject, Message } from "modelyard/plugin";
import { elements, isNothing, isObject, member, textIn } from "./json.ts";
import { mediaPart, nameOthers } from "./media.ts";
import type { PartPlace } from "./media.ts";
import type { ModelName } from "./model-name.ts";
import { badRequest, unsupported } from "./refusal.ts";

interface Around {
  readonly model: ModelName;
  readonly call: Pick<Call, "ignored">;
}

/** What a turn of the conversation is: answers of functions stand apart from what the user says. */
type Speaker = "user" | "model" | "function";

interface Turn {
  readonly speaker: Speaker;
  readonly parts: JsonObject[];
}

/**
 * `contents` and `systemInstruction` for a conversation: neighbours of one speaker become one turn, calls are matched
 * with their answers by id. Throws `bad-request` or `unsupported` with the path of what is at fault.
 */
export function conversation(messages: ChatRequest["messages"], around: Around): JsonObject {
  const reader = new Conversation(around);
  for (const [index, message] of messages.entries()) reader.read(message, `messages[${index}]`);
  return reader.fields();
}

/** Members of a message that are read, by its role. */
const KNOWN = new Map([
  ["assistant", ["role", "content", "tool_calls", "refusal", "extra_content"]],
  ["tool", ["role", "content", "tool_call_id", "name"]],
]);

const REFUSED = ["function_call", "audio"];

/** What Google's documents have in place of a signature for calls that Gemini didn't make, as its third version demands one. */
const FOREIGN_CALL = "skip_thought_signature_validator";

class Conversation {
  readonly #around: Around;
  readonly #instructions: JsonObject[] = [];
  readonly #turns: Turn[] = [];
  /** The names of the functions called so far, by the call's id. */
  readonly #called = new Map<string, string>();

  constructor(around: Around) {
    this.#around = around;
  }

  read(message: Message, path: string): void {
    for (const name of REFUSED) {
      if (!isNothing(message[name])) throw unsupported(`${path}.${name}`, "Gemini takes no such message");
    }
    const known = KNOWN.get(message.role) ?? ["role", "content"];
    nameOthers(message, known, { ...this.#around, path: "messages[]" });
    switch (message.role) {
      case "system":
      case "developer":
        this.#instructions.push(...this.#texts(message, path));
        return;
      case "user":
        return this.#add("user", this.#parts(message, path));
      case "assistant":
        return this.#add("model", [...this.#answer(message, path), ...this.#calls(message, path)]);
      case "tool":
        return this.#add("function", [this.#result(message, path)]);
      default:
        throw unsupported(`${path}.role`, `Gemini knows no role "${message.role}"`);
    }
  }

  fields(): JsonObject {
    // Without contents nothing is answered; OpenAI's models do answer to instructions alone.
    if (this.#turns.length === 0) return { contents: [{ role: "user", parts: this.#instructions }] };
    const contents = this.#turns.map(({ speaker, parts }) =>
      speaker === "model" ? { role: "model", parts: this.#signed(parts) } : { role: "user", parts },
    );
    const parts = this.#instructions;
    return { ...(parts.length > 0 && { systemInstruction: { parts } }), contents };
  }

  #add(speaker: Speaker, parts: readonly JsonObject[]): void {
    if (parts.length === 0) return;
    const last = this.#turns.at(-1);
    if (last?.speaker === speaker) last.parts.push(...parts);
    else this.#turns.push({ speaker, parts: [...parts] });
  }

  #parts({ content }: Message, path: string): JsonObject[] {
    if (typeof content === "string") return textParts(content);
    return (content ?? []).flatMap((part, index) => this.#part(part, `${path}.content[${index}]`));
  }

  #part(part: ContentPart, path: string): JsonObject[] {
    const place: PartPlace = { ...this.#around, path };
    const name = part.type === "refusal" ? "refusal" : "text";
    const text = part[name];
    if (part.type !== name && part.type !== "input_text") return [mediaPart(part, place)];
    if (typeof text !== "string") throw badRequest(`${path}.${name}`, "a text");
    nameOthers(part, ["type", name], { ...place, path: "messages[].content[]" });
    return textParts(text);
  }

  #texts(message: Message, path: string): JsonObject[] {
    const parts = this.#parts(message, path);
    if (parts.some((part) => !("text" in part)))
      throw unsupported(`${path}.content`, "instructions are text");
    return parts;
  }

  #answer(message: Message, path: string): JsonObject[] {
    const parts = this.#parts(message, path);
    if (typeof message["refusal"] === "string") parts.push(...textParts(message["refusal"]));
    const signature = signatureIn(message);
    if (signature === undefined) return parts;
    const last = parts.pop() ?? { text: "" };
    return [...parts, { ...last, thoughtSignature: signature }];
  }

  #calls(message: Message, path: string): JsonObject[] {
    return elements(message["tool_calls"]).map((call, index) => {
      const place = `${path}.tool_calls[${index}]`;
      const own = member(call, "function");
      const [id, name] = [textIn(call, "id"), textIn(own, "name")];
      if (name === "") throw unsupported(place, "Gemini takes calls of functions only");
      if (id !== "") this.#called.set(id, name);
      const args = argumentsOf(textIn(own, "arguments"), `${place}.function.arguments`);
      const signature = signatureIn(call);
      return {
        functionCall: { ...(id !== "" && { id }), name, args },
        ...(signature !== undefined && { thoughtSignature: signature }),
      };
    });
  }

  #result(message: Message, path: string): JsonObject {
    const id = textIn(message, "tool_call_id");
    const name = this.#called.get(id) ?? textIn(message, "name");
    if (name === "") throw badRequest(`${path}.tool_call_id`, "the id of a call in the messages before it");
    const texts = this.#texts(message, path).map((part) => textIn(part, "text"));
    return { functionResponse: { ...(id !== "" && { id }), name, response: responseOf(texts.join("\n")) } };
  }

  /** Marks the first call of a turn that has no signature at all, where the model would refuse it. */
  #signed(parts: readonly JsonObject[]): readonly JsonObject[] {
    const first = parts.findIndex((part) => "functionCall" in part);
    const isSigned = parts.some((part) => "functionCall" in part && "thoughtSignature" in part);
    if (first === -1 || isSigned || this.#around.model.version < 3) return parts;
    return parts.with(first, { ...parts[first], thoughtSignature: FOREIGN_CALL });
  }
}

function textParts(text: string): JsonObject[] {
  return text === "" ? [] : [{ text }];
}

/** Where Google's own OpenAI-compatible address has it. https://ai.google.dev/gemini-api/docs/thought-signatures */
function signatureIn(value: Json): string | undefined {
  const signature = textIn(member(member(value, "extra_content"), "google"), "thought_signature");
  return signature === "" ? undefined : signature;
}

function argumentsOf(text: string, path: string): JsonObject {
  if (text.trim() === "") return {};
  const value = parseAsWritten(text);
  if (!isObject(value)) throw badRequest(path, "a JSON object as text");
  return value;
}

/** A function's answer, which must be an object: one as it is, all else under `output`, as the documents say. */
function responseOf(text: string): JsonObject {
  const value = parseAsWritten(text);
  return isObject(value) ? value : { output: value === undefined ? text : value };
}
