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
import { mediaPart, reportOthers } from "./media.ts";
import type { PartContext } from "./media.ts";
import type { ModelName } from "../models.ts";
import { badRequest, unsupported } from "./errors.ts";

interface MessagesContext {
  readonly model: ModelName;
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/** The kind of a turn; function responses are separate from the user's messages. */
type TurnKind = "user" | "model" | "function";

interface Turn {
  readonly speaker: TurnKind;
  readonly parts: JsonObject[];
}

/**
 * Maps a conversation to `contents` and `systemInstruction`. Adjacent messages of one kind become one turn, and all
 * responses to a turn's calls follow it. Throws `bad-request` or `unsupported` with the path at fault.
 */
export function conversation(messages: ChatRequest["messages"], context: MessagesContext): JsonObject {
  const reader = new Conversation(context);
  const toolCallId = (id: string) => id.toWellFormed();
  for (const message of readConversation(messages, { toolCallId, call: context.call })) reader.read(message);
  return reader.fields();
}

/** The members of a message that are read, by role. */
const KNOWN = new Map([
  ["assistant", ["role", "content", "tool_calls", "function_call", "refusal", "extra_content"]],
  ["tool", ["role", "content", "tool_call_id", "name", "is_error"]],
]);

/** The signature by Google's documentation for calls of other models, as Gemini 3 requires one. */
const SKIP_SIGNATURE = "skip_thought_signature_validator";

class Conversation {
  readonly #context: MessagesContext;
  readonly #instructions: JsonObject[] = [];
  readonly #turns: Turn[] = [];

  constructor(context: MessagesContext) {
    this.#context = context;
  }

  read(read: ConversationMessage): void {
    const { role, message, place: path } = read;
    if (!isAbsent(message["audio"])) throw unsupported(`${path}.audio`, "Gemini takes no such message");
    const known = KNOWN.get(role) ?? ["role", "content"];
    reportOthers(message, known, { ...this.#context, path: "messages[]" });
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
    // Gemini requires contents; OpenAI's models answer to instructions alone.
    if (this.#turns.length === 0) return { contents: [{ role: "user", parts: this.#instructions }] };
    const contents = this.#turns.map(({ speaker, parts }) =>
      speaker === "model" ? { role: "model", parts: this.#signed(parts) } : { role: "user", parts },
    );
    const parts = this.#instructions;
    return { ...(parts.length > 0 && { systemInstruction: { parts } }), contents };
  }

  #add(speaker: TurnKind, parts: readonly JsonObject[]): void {
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
    const place: PartContext = { ...this.#context, path };
    const name = part.type === "refusal" ? "refusal" : "text";
    const text = part[name];
    if (part.type !== name && part.type !== "input_text") return [mediaPart(part, place)];
    if (typeof text !== "string") throw badRequest(`${path}.${name}`, "a text");
    reportOthers(part, ["type", name], { ...place, path: "messages[].content[]" });
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
        functionCall: { id, name: this.#context.names.toUpstream(name), args },
        ...(signature !== undefined && { thoughtSignature: signature }),
      };
    });
  }

  /** Returns the response to a call, followed by its files. */
  #result({ message, place, answers }: ConversationMessage): JsonObject[] {
    if (!answers) return [];
    const parts = this.#parts(message, place);
    const texts = parts.flatMap((part) => ("text" in part ? [asString(part["text"])] : []));
    const files = parts.filter((part) => !("text" in part));
    const taken = files.filter((part) => this.#isTakenWithin(part));
    const functionResponse = {
      id: answers.id,
      name: this.#context.names.toUpstream(answers.name),
      response: responseOf(texts.join("\n"), message["is_error"] === true),
      ...(taken.length > 0 && { parts: taken }),
    };
    return [{ functionResponse }, ...files.filter((part) => !taken.includes(part))];
  }

  /** https://ai.google.dev/gemini-api/docs/function-calling#multimodal */
  #isTakenWithin(part: JsonObject): boolean {
    const mediaType = asString(member(part["inlineData"], "mimeType"));
    return (
      this.#context.model.version >= 3 &&
      /^(image\/(png|jpeg|webp)|application\/pdf|text\/plain)$/.test(mediaType)
    );
  }

  /** Signs the first call of a turn without signatures, which the model would reject. */
  #signed(parts: readonly JsonObject[]): readonly JsonObject[] {
    const first = parts.findIndex((part) => "functionCall" in part);
    const isSigned = parts.some((part) => "functionCall" in part && "thoughtSignature" in part);
    if (first === -1 || isSigned || this.#context.model.version < 3) return parts;
    return parts.with(first, { ...parts[first], thoughtSignature: SKIP_SIGNATURE });
  }
}

function textParts(text: string): JsonObject[] {
  return text === "" ? [] : [{ text }];
}

/**
 * Reads the signature where Google's OpenAI-compatible API has it.
 * https://ai.google.dev/gemini-api/docs/thought-signatures
 */
function signatureIn(value: Json): string | undefined {
  const signature = asString(member(member(member(value, "extra_content"), "google"), "thought_signature"));
  return signature === "" ? undefined : signature;
}

/**
 * Returns a function's response, which must be an object: an object unchanged, other values under `output`, as
 * documented, and errors under `error`.
 */
function responseOf(text: string, isError: boolean): JsonObject {
  const value = parseAsWritten(text);
  if (isError) return { error: value === undefined ? text || FAILED_OUTPUT : value };
  return isObject(value) ? value : { output: value === undefined ? text : value };
}

const FAILED_OUTPUT = "the tool failed without output";
