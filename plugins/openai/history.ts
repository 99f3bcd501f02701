import type { ChatRequest, ContentPart, Json, JsonObject, UpstreamError } from "modelyard/plugin";
import { asObject, asString, member } from "modelyard/kit";
import type { ReasoningForm } from "modelyard/kit";

/**
 * Members of an assistant message that the gateway's answers may have and strict servers refuse. They come back in the
 * history, and reach such a server when a conversation goes on there that began at another one.
 */
const OPTIONAL = [
  "reasoning_content",
  "reasoning",
  "reasoning_details",
  "content_parts",
  "content_blocks",
  "text_citations",
  "annotations",
  "images",
  "refusal",
  "extra_content",
] as const;

type Optional = (typeof OPTIONAL)[number];

/** Those of them that may have to be written as the server does it itself. */
const REWRITTEN = ["reasoning_content", "content_parts"];

/** What a server has shown of the assistant messages that it writes and takes. */
export class HistoryAdapter {
  readonly #system: boolean;
  readonly #refused = new Set<Optional>();
  #reasoning: ReasoningForm | undefined;

  /** `reasoning` where it is known beforehand; `system` for servers that don't know the role `developer`. */
  constructor({
    reasoning,
    system,
  }: {
    readonly reasoning: ReasoningForm | undefined;
    readonly system: boolean;
  }) {
    this.#reasoning = reasoning;
    this.#system = system;
  }

  /** Remembers the form of reasoning that an answer had. */
  readonly learnReasoning = (form: ReasoningForm): void => {
    this.#reasoning = form;
  };

  /**
   * Remembers which of the gateway's own members a server has refused with this error. False if the error names none, or
   * only such as are left out already.
   */
  learnRefusal({ code, message, param = "" }: UpstreamError, request: ChatRequest): boolean {
    if (code !== "bad-request") return false;
    const words = `${param} ${message}`;
    const named = OPTIONAL.filter(
      (name) => !this.#refused.has(name) && new RegExp(`\\b${name}\\b`).test(words) && isSent(name, request),
    );
    for (const name of named) this.#refused.add(name);
    return named.length > 0;
  }

  /**
   * The request with its history as this server writes it itself; the same object where nothing is to be changed. Calls
   * `ignored` with each member that is left out.
   */
  applyTo(request: ChatRequest, ignored: (name: string) => void): ChatRequest {
    const messages = request.messages.map((message) => this.#message(message, ignored));
    const isSame = messages.every((message, index) => message === request.messages[index]);
    return isSame ? request : { ...request, messages };
  }

  #message(message: Message, ignored: (name: string) => void): Message {
    if (message["role"] === "developer" && this.#system) return { ...message, role: "system" };
    if (message["role"] !== "assistant") return message;
    if (this.#refused.size === 0 && !hasAny(message, REWRITTEN)) return message;
    const changed: MutableMessage = { ...message };
    this.#restoreContent(changed);
    this.#restoreReasoning(changed);
    this.#leaveOut(changed, ignored);
    return changed;
  }

  /** The content list of which `content` is the text, if the client has left that as it was. */
  #restoreContent(message: MutableMessage): void {
    const parts = message["content_parts"];
    if (!Array.isArray(parts) || textIn(parts) !== asString(message["content"])) return;
    message["content"] = parts;
    delete message["content_parts"];
    if (parts.some(isThinking)) delete message["reasoning_content"];
  }

  #restoreReasoning(message: MutableMessage): void {
    const text = message["reasoning_content"];
    if (typeof text !== "string") return;
    if (this.#reasoning === "reasoning") {
      message["reasoning"] ??= text;
      delete message["reasoning_content"];
    } else if (this.#reasoning === "thinking") {
      delete message["reasoning_content"];
      if (text !== "") message["content"] = [thinking(text), ...contentParts(message["content"])];
    }
  }

  #leaveOut(message: MutableMessage, ignored: (name: string) => void): void {
    for (const name of this.#refused) {
      if (name in message) {
        delete message[name];
        ignored(`messages[].${name}`);
      }
    }
    if (!this.#refused.has("extra_content") || !Array.isArray(message["tool_calls"])) return;
    message["tool_calls"] = message["tool_calls"].map((call: Json) => {
      const { extra_content: extra, ...rest } = asObject(call) ?? {};
      if (extra === undefined) return call;
      ignored("messages[].tool_calls[].extra_content");
      return rest;
    });
  }
}

type Message = ChatRequest["messages"][number];

/** A message that is being rewritten. */
type MutableMessage = { -readonly [Name in keyof Message]: Message[Name] } & Record<string, Json | undefined>;

function isSent(name: Optional, { messages }: ChatRequest): boolean {
  return messages.some(
    (message: JsonObject) =>
      message["role"] === "assistant" &&
      (name in message ||
        (Array.isArray(message["tool_calls"]) &&
          message["tool_calls"].some((call: Json) => member(call, name) !== undefined))),
  );
}

function hasAny(message: JsonObject, names: readonly string[]): boolean {
  return names.some((name) => message[name] !== undefined);
}

function textIn(parts: readonly Json[]): string {
  return parts.map((part) => asString(member(part, "text"))).join("");
}

function isThinking(part: Json): boolean {
  return member(part, "type") === "thinking";
}

/** Mistral's form: https://docs.mistral.ai/capabilities/reasoning */
function thinking(text: string): ContentPart {
  return { type: "thinking", thinking: [{ type: "text", text }] };
}

function contentParts(content: Message["content"]): readonly ContentPart[] {
  if (Array.isArray(content)) return content as readonly ContentPart[];
  return typeof content === "string" && content !== "" ? [{ type: "text", text: content }] : [];
}
