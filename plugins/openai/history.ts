import type { ChatRequest, ContentPart, Json, JsonObject, UpstreamError } from "modelyard/plugin";
import { asObjects, asString, isObject, member } from "modelyard/kit";
import type { ReasoningForm } from "modelyard/kit";

/**
 * Members of an assistant message that the gateway's answers may have and strict servers reject. Clients return them in
 * the history, also to a server that didn't write them.
 */
const OPTIONAL = [
  "reasoning_content",
  "reasoning",
  "reasoning_details",
  "content_parts",
  "content_blocks",
  "content_deltas",
  "text_citations",
  "annotations",
  "images",
  "refusal",
  "extra_content",
];

/** The members of a tool call in OpenAI's API. Clients copy all others from answers. */
const CALL_MEMBERS = new Set(["id", "type", "function", "custom"]);

/** Limit of the models and of each model's members that are remembered, as clients name both. */
const MAX_LEARNT = 100;

/** Members that may have to be rewritten in the server's own form. */
const REWRITTEN = ["reasoning_content", "content_parts"];

/** Adapts a history to the assistant messages that a server writes and accepts, as its answers and errors show. */
export class HistoryAdapter {
  readonly #system: boolean;
  /** The members that a model's server has rejected. */
  readonly #refused = new Map<string, Set<string>>();
  #reasoning: ReasoningForm | undefined;

  /** `reasoning` is the documented form, if any; `system` is true for servers without the role `developer`. */
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

  /** Remembers the form of reasoning in an answer. */
  readonly learnReasoning = (form: ReasoningForm): void => {
    this.#reasoning = form;
  };

  /**
   * Remembers the members from answers that a model's server has rejected with this error. Returns false if the error
   * names none, or only such as were left out already.
   */
  learnRefusal({ code, message, param = "" }: UpstreamError, { model, messages }: ChatRequest): boolean {
    if (code !== "bad-request") return false;
    const words = new Set(`${param} ${message}`.match(/\w+/g));
    const refused = this.#refused.get(model) ?? new Set();
    const sent = messages.filter(({ role }) => role === "assistant").flatMap(membersFromAnswers);
    const named = sent.filter((name) => words.has(name) && !refused.has(name));
    if (named.length === 0 || refused.size + named.length > MAX_LEARNT) return false;
    if (this.#refused.size >= MAX_LEARNT) this.#refused.clear();
    this.#refused.set(model, refused.union(new Set(named)));
    return true;
  }

  /**
   * Returns the request with the history in the server's own form, or the same object if nothing changes. Calls
   * `ignored` with the path of each member that is left out.
   */
  applyTo(request: ChatRequest, ignored: Ignored): ChatRequest {
    const refused = this.#refused.get(request.model);
    const messages = request.messages.map((message) => this.#message(message, refused, ignored));
    const isSame = messages.every((message, index) => message === request.messages[index]);
    return isSame ? request : { ...request, messages };
  }

  #message(message: Message, refused: ReadonlySet<string> | undefined, ignored: Ignored): Message {
    if (message["role"] === "developer" && this.#system) return { ...message, role: "system" };
    if (message["role"] !== "assistant") return message;
    if (!refused && !hasAny(message, REWRITTEN)) return message;
    const changed: MutableMessage = { ...message };
    this.#restoreContent(changed);
    this.#restoreReasoning(changed);
    if (refused) leaveOut(changed, refused, ignored);
    return changed;
  }

  /** Restores the content list whose text is `content`, unless the client has changed the text. */
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
}

type Message = ChatRequest["messages"][number];

type Ignored = (name: string) => void;

/** A message that is being rewritten. */
type MutableMessage = { -readonly [Name in keyof Message]: Message[Name] } & Record<string, Json | undefined>;

function membersFromAnswers(message: JsonObject): readonly string[] {
  const ofCalls = asObjects(message["tool_calls"]).flatMap((call) => Object.keys(call));
  return [
    ...OPTIONAL.filter((name) => name in message),
    ...ofCalls.filter((name) => !CALL_MEMBERS.has(name)),
  ];
}

function leaveOut(message: MutableMessage, refused: ReadonlySet<string>, ignored: Ignored): void {
  for (const name of OPTIONAL) {
    if (!refused.has(name) || !(name in message)) continue;
    delete message[name];
    ignored(`messages[].${name}`);
  }
  const calls = message["tool_calls"];
  if (!Array.isArray(calls)) return;
  message["tool_calls"] = calls.map((call: Json) => {
    if (!isObject(call)) return call;
    const omitted = Object.keys(call).filter((name) => refused.has(name) && !CALL_MEMBERS.has(name));
    for (const name of omitted) ignored(`messages[].tool_calls[].${name}`);
    return omitted.length === 0 ? call : without(call, omitted);
  });
}

function without(members: JsonObject, omitted: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !omitted.includes(name)));
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
