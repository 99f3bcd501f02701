import { asObject, isAbsent } from "modelyard/kit";
import type { Call, ContentPart, Json, JsonObject, Message } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { fileBlock, imageBlock } from "./files.ts";

/** A content block of the Messages API. */
export type Block = JsonObject;

/** A message and its path in the client's request. */
export interface LocatedMessage {
  readonly message: Message;
  readonly place: string;
  readonly call: Pick<Call, "ignored">;
}

/** The content blocks of a message. */
export interface Content {
  readonly blocks: readonly Block[];
  /** The `cache_control` of an omitted text, which applies to the block before these. */
  readonly cacheControlBefore?: Json;
}

/**
 * Maps a message's content. Parts of the Messages API itself (`document`, `search_result` …) are passed on unchanged.
 * Blank texts, which it rejects, are omitted, and their `cache_control` moves to the block before.
 */
export function contentBlocks({ message, place, call }: LocatedMessage): Content {
  const { content } = message;
  if (typeof content === "string")
    return { blocks: isBlank(content) ? [] : [{ type: "text", text: content }] };
  const blocks: Block[] = [];
  let cacheControlBefore: Json | undefined;
  for (const [index, part] of (content ?? []).entries()) {
    const block = blockOf(part, `${place}.content[${index}]`, call);
    const isLeftOut = block["type"] === "text" && isBlank(block["text"]);
    if (!isLeftOut) blocks.push(block);
    else if (!setCacheControl(blocks, block["cache_control"])) cacheControlBefore = block["cache_control"];
  }
  return { blocks, ...(cacheControlBefore !== undefined && { cacheControlBefore }) };
}

export function isBlank(text: Json | undefined): boolean {
  return typeof text === "string" && text.trim() === "";
}

/** Moves a message's own `cache_control` to the last of its blocks, where the Messages API expects it. */
export function withCacheControl({ blocks, cacheControlBefore }: Content, message: Message): Content {
  const mark = message["cache_control"];
  const all = [...blocks];
  const before = setCacheControl(all, mark) ? cacheControlBefore : (mark ?? cacheControlBefore);
  return { blocks: all, ...(!isAbsent(before) && { cacheControlBefore: before }) };
}

/** Sets `cache_control` on the last block unless it has one. Returns false if there is a mark and no block. */
export function setCacheControl(blocks: Block[], mark: Json | undefined): boolean {
  if (isAbsent(mark)) return true;
  const last = blocks.pop();
  if (last) blocks.push(isAbsent(last["cache_control"]) ? { ...last, cache_control: mark } : last);
  return last !== undefined;
}

/** Reports the members of a message that have no counterpart in the Messages API. */
export function reportIgnored({ message, call }: LocatedMessage, known: ReadonlySet<string>): void {
  for (const [name, value] of Object.entries(message)) {
    if (known.has(name) || isAbsent(value)) continue;
    call.ignored(`messages[].${name}`, "messages of this API have no such member");
  }
}

function blockOf(part: ContentPart, place: string, call: Pick<Call, "ignored">): Block {
  const make = BUILDERS.get(part.type);
  if (!make) return part;
  const [member, build] = make;
  for (const [name, value] of Object.entries(part)) {
    if (name === "type" || name === member || NATIVE_MEMBERS.has(name) || isAbsent(value)) continue;
    call.ignored(`messages[].content[].${name}`, "content blocks of this API have no such member");
  }
  if (part.type === "image_url") reportDetail(part, call);
  const kept = Object.fromEntries(
    Object.entries(part).filter(([name, value]) => NATIVE_MEMBERS.has(name) && value !== null),
  );
  return { ...build(part, place), ...kept };
}

/** For each type of OpenAI's parts, its member and the function that builds its block. */
const BUILDERS = new Map<string, readonly [string, (part: ContentPart, place: string) => Block]>([
  ["text", ["text", textBlock]],
  ["input_text", ["text", textBlock]],
  ["refusal", ["refusal", (part, place) => textBlock({ ...part, text: part["refusal"] }, place)]],
  ["image_url", ["image_url", (part, place) => imageBlock(part["image_url"], place)]],
  ["file", ["file", (part, place) => fileBlock(part["file"], place)]],
  ["input_audio", ["input_audio", refuse]],
  // Part types of other APIs, which this API would reject as an invalid request.
  ...["audio_url", "video_url", "input_image", "input_file"].map(refusedType),
]);

/** Anthropic's own members of OpenAI's parts. */
export const NATIVE_MEMBERS = new Set(["cache_control", "citations", "context"]);

function textBlock(part: ContentPart, place: string): Block {
  const { text } = part;
  if (typeof text !== "string") throw badRequest("a text part needs a text", `${place}.text`);
  return { type: "text", text };
}

function refusedType(type: string): [string, readonly [string, typeof refuse]] {
  return [type, [type, refuse]];
}

function refuse({ type }: ContentPart, place: string): never {
  throw unsupported(`takes no parts of type ${type}`, place);
}

function reportDetail(part: ContentPart, call: Pick<Call, "ignored">): void {
  const detail = asObject(part["image_url"])?.["detail"];
  if (isAbsent(detail) || detail === "auto") return;
  call.ignored("messages[].content[].image_url.detail", "this API has no such choice");
}
