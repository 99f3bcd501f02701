import { UpstreamError } from "../../contract/index.ts";
import type { Call, JsonObject, Message } from "../../contract/index.ts";
import { parseAsWritten } from "../json/parse.ts";
import { asArray, asObject, asString, isAbsent } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/** A tool call in the history. */
export interface ToolCall {
  /** Unique in the conversation, and of the characters that the upstream accepts. */
  readonly id: string;
  /** The client's name of the tool, never empty. */
  readonly name: string;
  readonly arguments: JsonObject;
  /** The call as the client gave it, for members such as `extra_content`. */
  readonly given: JsonObject;
}

/** A message of the history. */
export interface ConversationMessage {
  /** `developer` is `system` here, and `function` is `tool`. */
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly message: Message;
  /** Its position in the client's request, such as `messages[3]`. */
  readonly place: string;
  /** The calls of an assistant message, including `function_call`; empty for other roles. */
  readonly toolCalls: readonly ToolCall[];
  /** The call that a `tool` or `function` message answers. */
  readonly answers?: ToolCall;
}

export interface ConversationOptions {
  /** Maps an id to one that the upstream accepts; `readConversation` makes them unique afterwards. */
  readonly toolCallId?: (id: string) => string;
  readonly call: Pick<Call, "ignored">;
}

/**
 * Returns the messages of a request for an upstream that requires the tool results of a turn directly after the message
 * with their calls; other messages in between move behind them. Each result is matched with its call by id, results with
 * equal ids in the order of the calls; ids are made unique.
 *
 * Throws `UpstreamError` `unsupported` with the position: for an unknown role, a result without a call, a call of
 * something other than a function, and a conversation, or a last user turn, without content.
 */
export function readConversation(
  messages: readonly Message[],
  options: ConversationOptions,
): readonly ConversationMessage[] {
  const placed = messages.map(withPlace);
  requireContent(placed);
  const calls = new CallMatcher(options);
  const read: ConversationMessage[] = [];
  let others: ConversationMessage[] = [];
  for (const [index, entry] of placed.entries()) {
    const { role, message, place } = entry;
    // A blank assistant message is not sent, so it doesn't separate a call from its result.
    if (role === "assistant" && !isBlank(entry)) {
      read.push(...others, { ...entry, toolCalls: calls.add(message, index) });
      others = [];
    } else if (role === "tool") {
      read.push({ ...entry, toolCalls: [], answers: calls.match(message, place) });
    } else {
      others.push({ ...entry, toolCalls: [] });
    }
  }
  return [...read, ...others];
}

type PlacedMessage = Pick<ConversationMessage, "role" | "message" | "place">;

const ROLES = new Map<string, PlacedMessage["role"]>([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["assistant", "assistant"],
  ["tool", "tool"],
  ["function", "tool"],
]);

function withPlace(message: Message, index: number): PlacedMessage {
  const place = `messages[${index}]`;
  const role = ROLES.get(message.role);
  if (!role) throw unsupported(`${place}.role`, `the upstream knows no role "${message.role}"`);
  return { role, message, place };
}

/** Returns whether a message has no content, or only empty and blank text. */
export function isBlankContent(content: Message["content"]): boolean {
  if (typeof content === "string") return content.trim() === "";
  return (content ?? []).every(
    ({ type, text }) => TEXT_PARTS.has(type) && typeof text === "string" && text.trim() === "",
  );
}

const TEXT_PARTS = new Set(["text", "input_text"]);

/** Throws if the last user turn is blank: upstreams would continue the assistant's message, or blame another field. */
function requireContent(messages: readonly PlacedMessage[]): void {
  const spoken = messages.filter(({ role }) => role !== "system");
  const lastTurn = spoken.slice(spoken.findLastIndex(({ role }) => role !== "user") + 1);
  const isAfterResults = spoken.at(-lastTurn.length - 1)?.role === "tool";
  const isLeftOut = lastTurn.length > 0 && !isAfterResults && lastTurn.every(isBlank);
  const silent = isLeftOut || messages.every(isBlank) ? (lastTurn.at(-1) ?? messages.at(-1)) : undefined;
  if (silent) throw unsupported(silent.place, "missing text; the upstream takes no blank message here");
}

function isBlank({ role, message }: PlacedMessage): boolean {
  if (role === "tool" || !isBlankContent(message.content)) return false;
  return (
    role !== "assistant" || CONTENT_MEMBERS.every((name) => isAbsent(message[name]) || message[name] === "")
  );
}

/** The members of an assistant message that are sent even without content. */
const CONTENT_MEMBERS = [
  "tool_calls",
  "function_call",
  "refusal",
  "content_blocks",
  "extra_content",
  "audio",
];

/** Collects the calls of a conversation and matches results with them. */
class CallMatcher {
  readonly #options: ConversationOptions;
  /** The ids used so far, with the number of the next duplicate. */
  readonly #ids = new Map<string, number>();
  /** Calls without a result by the client's id, grouped by turn; legacy function calls, which have no id, apart. */
  readonly #open = new Map<string, ToolCall[][]>();
  readonly #functions: ToolCall[][] = [];

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** Adds and returns the calls of an assistant message. */
  add(message: Message, index: number): readonly ToolCall[] {
    const turn = new Map<string, ToolCall[]>();
    const calls = asArray(message["tool_calls"]).map((each, at) => {
      const place = `messages[${index}].tool_calls[${at}]`;
      const given = asObject(each);
      const invoked = asObject(given?.["function"]);
      if (!given || !invoked) throw unsupported(place, "only calls of functions can be given back");
      const id = asString(given["id"]);
      const call = this.#call(given, invoked, {
        id: id || `call_${index}_${at}`,
        place: `${place}.function`,
      });
      const alike = turn.get(id) ?? [];
      alike.push(call);
      turn.set(id, alike);
      return call;
    });
    for (const [id, open] of turn) this.#openUnder(id).push(open);
    const legacy = asObject(message["function_call"]);
    if (!legacy) return calls;
    const place = `messages[${index}].function_call`;
    const call = this.#call(legacy, legacy, { id: `function_call_${index}`, place });
    this.#functions.push([call]);
    return [...calls, call];
  }

  /** Returns the call that a result answers, and marks it as answered. */
  match(message: Message, place: string): ToolCall {
    const isLegacy = message.role === "function";
    const turns = isLegacy ? this.#functions : this.#openUnder(asString(message["tool_call_id"]));
    const call = turns.at(-1)?.shift();
    if (turns.at(-1)?.length === 0) turns.pop();
    if (call) return call;
    const param = `${place}.${isLegacy ? "name" : "tool_call_id"}`;
    throw unsupported(param, "there is no call before it that has no result yet");
  }

  #call(given: JsonObject, invoked: JsonObject, { id, place }: { id: string; place: string }): ToolCall {
    const name = asString(invoked["name"]);
    if (name === "") throw unsupported(`${place}.name`, "a call needs the name of its function");
    const { value, isInvalid } = readToolArguments(invoked["arguments"]);
    if (isInvalid) {
      const param = place.replaceAll(/\[\d+\]/g, "[]");
      this.#options.call.ignored(
        `${param}.arguments`,
        "they are no JSON object; the upstream gets their text",
      );
    }
    return { id: this.#unique(id), name, arguments: value, given };
  }

  /** Depends only on earlier ids, so that a continued conversation keeps its ids and its prompt cache. */
  #unique(id: string): string {
    const stem = this.#options.toolCallId?.(id) ?? id;
    let count = this.#ids.get(stem) ?? 1;
    let unique = stem;
    for (; this.#ids.has(unique); count++) unique = `${stem}_${count + 1}`;
    this.#ids.set(stem, count);
    if (unique !== stem) this.#ids.set(unique, 1);
    return unique;
  }

  #openUnder(id: string): ToolCall[][] {
    const turns = this.#open.get(id) ?? [];
    this.#open.set(id, turns);
    return turns;
  }
}

/** The arguments of a tool call in the history. */
interface ToolArguments {
  readonly value: JsonObject;
  /** True if they are no JSON object; `value` then holds their text as `_invalid`. */
  readonly isInvalid: boolean;
}

/**
 * Reads the `arguments` of a tool call for an upstream that takes a JSON object. Absent arguments, `null`, an empty string
 * and an empty array become `{}`; an object that was encoded twice is decoded twice. Invalid JSON, which the client can't
 * repair, becomes `{"_invalid": "<text>"}`, which the model can read.
 */
function readToolArguments(given: MaybeJson): ToolArguments {
  const text = typeof given === "string" ? given : JSON.stringify(given ?? {});
  const value = objectIn(text, true);
  return value ? { value, isInvalid: false } : { value: { _invalid: text }, isInvalid: true };
}

function objectIn(text: string, mayBeEncodedTwice: boolean): JsonObject | undefined {
  if (text.trim() === "") return {};
  const value = parseAsWritten(text);
  if (typeof value === "string" && mayBeEncodedTwice) return objectIn(value, false);
  const isEmpty = value === null || (Array.isArray(value) && value.length === 0);
  return isEmpty ? {} : asObject(value);
}

function unsupported(param: string, what: string): UpstreamError {
  return new UpstreamError("unsupported", `${param}: ${what}`, { param });
}
