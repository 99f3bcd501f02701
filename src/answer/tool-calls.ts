import type { JsonObject, ToolCallEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { isNestedTooDeep } from "../json/nesting.ts";
import { GrowingText, isBlank } from "../runtime/growing-text.ts";

/** Limit of the arguments of one choice, in characters. */
const MAX_ARGUMENTS = 64 * 1024 * 1024;
/** Limit of the arguments before a call's name, in characters. */
const MAX_EARLY = 1024 * 1024;

interface ToolCall {
  /** The place in the answer, counted from 0 in the order in which calls begin. */
  readonly index: number;
  /** The id that clients get. */
  readonly id: string;
  /** The upstream's own index when it began. */
  readonly ownIndex: number;
  /** The upstream's own id; empty until it gives one. */
  ownId: string;
  /** Empty until the upstream gives one. */
  name: string;
  /** True once its first event was delivered. */
  isTold: boolean;
  /** True for custom tools and other kinds that are no functions: their input need not be JSON. */
  isText: boolean;
  /** True when its name was said again behind whole arguments: more arguments are another call's. */
  mayBeOver: boolean;
  /** The arguments before the name. */
  early: JsonObject | undefined;
  readonly arguments: GrowingText;
}

/** The ids of the calls of one answer, all different. */
export class CallIds {
  readonly #taken = new Set<string>();

  /** Returns the upstream's own id, or a new one where it gave none or one that another call has. */
  take(own: string | undefined): string {
    const id = own && !this.#taken.has(own) ? own : newCallId();
    this.#taken.add(id);
    return id;
  }
}

/**
 * The tool calls of one choice, put together from their pieces: numbered from 0 in the order in which they begin, each
 * with an id and a name in its first event and only there. Calls that an upstream all gives index 0, or no ids, or
 * equal ones, are distinguished as far as their pieces allow; where they don't, the joined arguments are no JSON.
 */
export class ToolCalls {
  readonly #ids: CallIds;
  readonly #all: ToolCall[] = [];
  /** By the upstream's own index, the call to which its next piece belongs. */
  readonly #open = new Map<number, ToolCall>();
  #size = 0;

  constructor(ids: CallIds) {
    this.#ids = ids;
  }

  /** Returns the event as clients should see it; undefined where there is nothing, or not yet anything, to show. */
  take(event: ToolCallEvent): ToolCallEvent | undefined {
    const { id, name, arguments: said = "", ...rest } = event;
    const call = this.#callOf(event);
    const piece = isRepeated(call, event) ? "" : said;
    call.ownId ||= id ?? "";
    call.name ||= name ?? "";
    const type = event.fields?.["type"];
    if (type !== undefined && type !== "function") call.isText = true;
    if (piece !== "") this.#add(call, piece);
    else if (call.isTold && !event.fields) return undefined;
    if (call.isTold) return { ...rest, index: call.index, arguments: piece };
    if (call.name === "") {
      call.early = { ...call.early, ...event.fields };
      return undefined;
    }
    call.isTold = true;
    const { index, arguments: begun, early } = call;
    const fields = early && { fields: { ...early, ...event.fields } };
    return { ...rest, ...fields, index, id: call.id, name: call.name, arguments: begun.text };
  }

  /**
   * Returns what is missing at the end of the choice: `{}` for each call without arguments. Throws
   * `bad-response` for a call without a name or with arguments that are no JSON. A choice that was cut short
   * (`isCut`) may leave its last call open.
   */
  end(isCut: boolean): ToolCallEvent[] {
    const missing: ToolCallEvent[] = [];
    for (const call of this.#all) {
      if (!call.isTold) throw unnamed();
      if (isCut || call.isText) continue;
      if (call.arguments.isBlank) missing.push({ type: "tool-call", index: call.index, arguments: "{}" });
      else expectJson(call.name, call.arguments);
    }
    return missing;
  }

  #callOf(event: ToolCallEvent): ToolCall {
    const { index, id, name = "" } = event;
    let call = this.#open.get(index);
    // An id that is known goes on with its call, whatever the index says, unless a name begins another.
    if (!call && id && name === "") call = this.#all.find(({ ownId }) => ownId === id);
    // Of calls that share one index, the id says which one a piece belongs to.
    else if (call && id && id !== call.ownId)
      call = this.#all.find(({ ownId, ownIndex }) => ownId === id && ownIndex === index) ?? call;
    if (!call || beginsAnother(call, event)) call = this.#begin(event, name || (call?.name ?? ""));
    this.#open.set(index, call);
    return call;
  }

  #begin({ id, index: ownIndex }: ToolCallEvent, name: string): ToolCall {
    const call: ToolCall = {
      index: this.#all.length,
      id: this.#ids.take(id),
      ownIndex,
      ownId: "",
      name,
      isTold: false,
      isText: false,
      mayBeOver: false,
      early: undefined,
      arguments: new GrowingText(),
    };
    this.#all.push(call);
    return call;
  }

  #add(call: ToolCall, piece: string): void {
    this.#size += piece.length;
    call.arguments.add(piece);
    if (this.#size > MAX_ARGUMENTS)
      throw new UpstreamError("bad-response", "the upstream's tool calls are larger than 64 MiB");
    if (call.name === "" && call.arguments.length > MAX_EARLY) throw unnamed();
  }
}

/** Throws `bad-response` where the arguments of a call are no JSON. */
export function expectJson(name: string, { text }: GrowingText): void {
  if (isJson(text)) return;
  const tool = JSON.stringify(name);
  throw new UpstreamError(
    "bad-response",
    `the upstream called the tool ${tool} with arguments that are no JSON`,
  );
}

/**
 * Whether an event at the index of `call` begins another call. Another id begins one only together with a name:
 * old vLLM makes up a new id for each piece.
 */
function beginsAnother(call: ToolCall, event: ToolCallEvent): boolean {
  const { id, name, arguments: piece = "" } = event;
  if (call.name === "") return false;
  if (!name) return call.mayBeOver && !isBlank(piece);
  if (id && call.ownId && id !== call.ownId) return true;
  if (name !== call.name) {
    if (call.arguments.isBlank) throw ambiguous(call.name);
    return true;
  }
  // The same name again: a habit of each piece, or another call of the same tool once these arguments are whole.
  if (call.isText || !isWhole(call.arguments)) return false;
  if (isBlank(piece)) call.mayBeOver = true;
  return !isBlank(piece) && !isRepeated(call, event);
}

/** Some servers end with each call once more: the same id, name and whole arguments say nothing new. */
function isRepeated(call: ToolCall, { id, name, arguments: piece }: ToolCallEvent): boolean {
  if (!call.isTold || !id || id !== call.ownId || name !== call.name) return false;
  return piece?.length === call.arguments.length && piece === call.arguments.text && isWhole(call.arguments);
}

/** Whether arguments are a whole object; cheap where they plainly aren't, because servers ask it for each piece. */
function isWhole(begun: GrowingText): boolean {
  return /\}[ \t\n\r]*$/.test(begun.ending) && isJson(begun.text);
}

function isJson(text: string): boolean {
  if (isNestedTooDeep(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function unnamed(): UpstreamError {
  return new UpstreamError("bad-response", "the upstream called a tool without naming it");
}

/** A name in two pieces, or two calls without arguments at one index: nothing tells them apart. */
function ambiguous(name: string): UpstreamError {
  const tool = JSON.stringify(name);
  return new UpstreamError("bad-response", `the upstream gave the tool call ${tool} two names`);
}

function newCallId(): string {
  return `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
}
