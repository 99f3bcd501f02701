import { asObject, isAbsent } from "modelyard/kit";
import type { Call, ContentPart, Json, JsonObject, Message } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { fileBlock, imageBlock } from "./files.ts";

/** A content block of the Messages API. */
export type Block = JsonObject;

/** A message of the conversation, and where it stands in the client's request. */
export interface Placed {
  readonly message: Message;
  readonly place: string;
  readonly call: Pick<Call, "ignored">;
}

/** What a message becomes. */
export interface Content {
  readonly blocks: readonly Block[];
  /** The cache mark of a text that was left out, for the block before these. */
  readonly markBefore?: Json;
}

/**
 * The blocks of a message's content. What the Messages API knows itself (`document`, `search_result` …) goes
 * as it is; texts that are empty or blank, which it refuses, are left out, and their cache marks move to the block before.
 */
export function contentBlocks({ message, place, call }: Placed): Content {
  const { content } = message;
  if (typeof content === "string")
    return { blocks: isBlank(content) ? [] : [{ type: "text", text: content }] };
  const blocks: Block[] = [];
  let markBefore: Json | undefined;
  for (const [index, part] of (content ?? []).entries()) {
    const block = blockOf(part, `${place}.content[${index}]`, call);
    const isLeftOut = block["type"] === "text" && isBlank(block["text"]);
    if (!isLeftOut) blocks.push(block);
    else if (!markLast(blocks, block["cache_control"])) markBefore = block["cache_control"];
  }
  return { blocks, ...(markBefore !== undefined && { markBefore }) };
}

export function isBlank(text: Json | undefined): boolean {
  return typeof text === "string" && text.trim() === "";
}

/** Puts a message's own cache mark on the last of its blocks, where the Messages API wants it. */
export function marked({ blocks, markBefore }: Content, message: Message): Content {
  const mark = message["cache_control"];
  const all = [...blocks];
  const before = markLast(all, mark) ? markBefore : (mark ?? markBefore);
  return { blocks: all, ...(!isAbsent(before) && { markBefore: before }) };
}

/** Puts a cache mark on the last of these blocks, unless it has one; false if there is a mark and no block for it. */
export function markLast(blocks: Block[], mark: Json | undefined): boolean {
  if (isAbsent(mark)) return true;
  const last = blocks.pop();
  if (last) blocks.push(isAbsent(last["cache_control"]) ? { ...last, cache_control: mark } : last);
  return last !== undefined;
}

/** Names the members of a message that have no place in the Messages API. */
export function nameIgnored({ message, call }: Placed, known: ReadonlySet<string>): void {
  for (const [name, value] of Object.entries(message)) {
    if (known.has(name) || isAbsent(value)) continue;
    call.ignored(`messages[].${name}`, "messages of this API have no such member");
  }
}

function blockOf(part: ContentPart, place: string, call: Pick<Call, "ignored">): Block {
  const make = MADE.get(part.type);
  if (!make) return part;
  const [member, build] = make;
  for (const [name, value] of Object.entries(part)) {
    if (name === "type" || name === member || KEPT.has(name) || isAbsent(value)) continue;
    call.ignored(`messages[].content[].${name}`, "content blocks of this API have no such member");
  }
  if (part.type === "image_url") nameDetail(part, call);
  const kept = Object.fromEntries(
    Object.entries(part).filter(([name, value]) => KEPT.has(name) && value !== null),
  );
  return { ...build(part, place), ...kept };
}

/** How OpenAI's parts become blocks: the member that each has, and what is made of it. */
const MADE = new Map<string, readonly [string, (part: ContentPart, place: string) => Block]>([
  ["text", ["text", textBlock]],
  ["input_text", ["text", textBlock]],
  ["refusal", ["refusal", (part, place) => textBlock({ ...part, text: part["refusal"] }, place)]],
  ["image_url", ["image_url", (part, place) => imageBlock(part["image_url"], place)]],
  ["file", ["file", (part, place) => fileBlock(part["file"], place)]],
  ["input_audio", ["input_audio", refuse]],
  // Others' names of parts, at which the API would refuse the request for every target.
  ...["audio_url", "video_url", "input_image", "input_file"].map(refused),
]);

/** Anthropic's own members of OpenAI's parts. */
const KEPT = new Set(["cache_control", "citations", "context"]);

function textBlock(part: ContentPart, place: string): Block {
  const { text } = part;
  if (typeof text !== "string") throw badRequest("a text part needs a text", `${place}.text`);
  return { type: "text", text };
}

function refused(type: string): [string, readonly [string, typeof refuse]] {
  return [type, [type, refuse]];
}

function refuse({ type }: ContentPart, place: string): never {
  throw unsupported(`takes no parts of type ${type}`, place);
}

function nameDetail(part: ContentPart, call: Pick<Call, "ignored">): void {
  const detail = asObject(part["image_url"])?.["detail"];
  if (isAbsent(detail) || detail === "auto") return;
  call.ignored("messages[].content[].image_url.detail", "this API has no such choice");
}
