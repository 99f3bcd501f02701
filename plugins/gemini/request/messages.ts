import {
  asString,
  isAbsent,
  isBlankContent,
  isObject,
  member,
  parseAsWritten,
  readConversation,
} from "modelyard/kit";
import type { ConversationMessage, ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, ContentPart, Json, JsonObject, Message } from "modelyard/plugin";
import { mediaPart, nameOthers } from "./media.ts";
import type { PartPlace } from "./media.ts";
import type { ModelName } from "../models.ts";
import { badRequest, unsupported } from "./errors.ts";

interface Around {
  readonly model: ModelName;
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/** What a turn of the conversation is: answers of functions stand apart from what the user says. */
type Speaker = "user" | "model" | "function";

interface Turn {
  readonly speaker: Speaker;
  readonly parts: JsonObject[];
}

/**
 * `contents` and `systemInstruction` for a conversation: neighbours of one speaker become one turn, and all answers of a
 * turn's calls follow it. Throws `bad-request` or `unsupported` with the path of what is at fault.
 */
export function conversation(messages: ChatRequest["messages"], around: Around): JsonObject {
  const reader = new Conversation(around);
  const toolCallId = (id: string) => id.toWellFormed();
  for (const message of readConversation(messages, { toolCallId, call: around.call })) reader.read(message);
  return reader.fields();
}

/** Members of a message that are read, by its role. */
const KNOWN = new Map([
  ["assistant", ["role", "content", "tool_calls", "function_call", "refusal", "extra_content"]],
  ["tool", ["role", "content", "tool_call_id", "name", "is_error"]],
]);

/** What Google's documents have in place of a signature for calls that Gemini didn't make, as its third version demands one. */
const FOREIGN_CALL = "skip_thought_signature_validator";

class Conversation {
  readonly #around: Around;
  readonly #instructions: JsonObject[] = [];
  readonly #turns: Turn[] = [];

  constructor(around: Around) {
    this.#around = around;
  }

  read(read: ConversationMessage): void {
    const { role, message, place: path } = read;
    if (!isAbsent(message["audio"])) throw unsupported(`${path}.audio`, "Gemini takes no such message");
    const known = KNOWN.get(role) ?? ["role", "content"];
    nameOthers(message, known, { ...this.#around, path: "messages[]" });
    switch (role) {
      case "system":
        this.#instructions.push(...this.#texts(message, path));
        return;
      case "user":
        return this.#add("user", this.#parts(message, path));
      case "assistant":
        return this.#add("model", [...this.#answer(message, path), ...this.#calls(read)]);
      case "tool":
        return this.#add("function", this.#result(read));
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
    if (isBlankContent(content)) return [];
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

  #calls({ toolCalls }: ConversationMessage): JsonObject[] {
    return toolCalls.map(({ id, name, arguments: args, given }) => {
      const signature = signatureIn(given);
      return {
        functionCall: { id, name: this.#around.names.toUpstream(name), args },
        ...(signature !== undefined && { thoughtSignature: signature }),
      };
    });
  }

  /** The result of a call, and after it the files that it has. */
  #result({ message, place, answers }: ConversationMessage): JsonObject[] {
    if (!answers) return [];
    const parts = this.#parts(message, place);
    const texts = parts.flatMap((part) => ("text" in part ? [asString(part["text"])] : []));
    const files = parts.filter((part) => !("text" in part));
    const within = files.filter((part) => this.#isTakenWithin(part));
    const functionResponse = {
      id: answers.id,
      name: this.#around.names.toUpstream(answers.name),
      response: responseOf(texts.join("\n"), message["is_error"] === true),
      ...(within.length > 0 && { parts: within }),
    };
    return [{ functionResponse }, ...files.filter((part) => !within.includes(part))];
  }

  /** https://ai.google.dev/gemini-api/docs/function-calling#multimodal */
  #isTakenWithin(part: JsonObject): boolean {
    const mediaType = asString(member(part["inlineData"], "mimeType"));
    return (
      this.#around.model.version >= 3 &&
      /^(image\/(png|jpeg|webp)|application\/pdf|text\/plain)$/.test(mediaType)
    );
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
  const signature = asString(member(member(member(value, "extra_content"), "google"), "thought_signature"));
  return signature === "" ? undefined : signature;
}

/**
 * A function's answer, which must be an object: one as it is, all else under `output`, as the documents say, and what
 * has failed under `error`.
 */
function responseOf(text: string, isError: boolean): JsonObject {
  const value = parseAsWritten(text);
  if (isError) return { error: value === undefined ? text || FAILED : value };
  return isObject(value) ? value : { output: value === undefined ? text : value };
}

const FAILED = "the tool failed without output";
