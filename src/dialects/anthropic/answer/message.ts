import type { AnswerBatches, CountedUsage } from "../../../answer/answer-event.ts";
import { readAll } from "../../../answer/read-all.ts";
import type { FinishEvent, Json, JsonObject } from "../../../contract/index.ts";
import { isObject } from "../../../contract/json.ts";
import { parseLossless } from "../../../json/lossless.ts";
import { Bounded } from "../../bounded.ts";
import type { Collected } from "../../dialect.ts";
import type { MessagesRequest } from "../request/request.ts";
import type { BlockSink } from "./block-sequence.ts";
import { BlockSequence } from "./block-sequence.ts";
import { MessageIdentity } from "./message-identity.ts";
import { isCut, stopMembers } from "./stop-reason.ts";
import { usageBody } from "./usage.ts";

/** Collects an answer into Anthropic's message. https://platform.claude.com/docs/en/api/messages/create */
export async function collectMessage(answer: AnswerBatches, request: MessagesRequest): Promise<Collected> {
  const identity = new MessageIdentity(request.model);
  const content = new CollectedBlocks();
  const blocks = new BlockSequence(content, request);
  const bounded = new Bounded();
  let usage: CountedUsage | undefined;
  let finish: FinishEvent | undefined;
  await readAll(answer, (event) => {
    bounded.add(event);
    if (event.type === "usage") usage = event;
    else if (event.type === "extra" && event.at === "chunk") identity.learn(event.fields);
    else if (event.type !== "finish") blocks.take(event);
    else if (!event.choice) finish = event;
  });
  blocks.end(finish !== undefined && isCut(finish));
  const body = {
    id: identity.id,
    type: "message",
    role: "assistant",
    model: identity.model,
    content: content.list(),
    ...(finish && stopMembers(finish, blocks.hasRefusal)),
    usage: usageBody(usage?.usage ?? {}),
  };
  return { body, usage };
}

/** The blocks of a plain answer in the making. Strings grow by `+=`, which the engine keeps as a rope. */
class CollectedBlocks implements BlockSink {
  readonly #blocks: Record<string, Json | undefined>[] = [];
  #input = "";
  /** True while the block that was started last is not at its end. */
  #isOpen = false;

  /** A call that isn't at its end is none. */
  list(): JsonObject[] {
    return this.#isOpen && this.#last["type"] === "tool_use" ? this.#blocks.slice(0, -1) : this.#blocks;
  }

  start(block: JsonObject): void {
    this.#blocks.push({ ...block });
    this.#input = "";
    this.#isOpen = true;
  }

  text(text: string): void {
    this.#append("text", text);
  }

  thinking(text: string): void {
    this.#append("thinking", text);
  }

  signature(signature: string): void {
    this.#append("signature", signature);
  }

  input(json: string): void {
    this.#input += json;
  }

  citation(citation: JsonObject): void {
    const { citations } = this.#last;
    this.#last["citations"] = [...(Array.isArray(citations) ? (citations as Json[]) : []), citation];
  }

  stop(): void {
    this.#isOpen = false;
    if (this.#last["type"] === "tool_use") this.#last["input"] = inputOf(this.#input);
  }

  get #last(): Record<string, Json | undefined> {
    return this.#blocks.at(-1) ?? {};
  }

  #append(name: string, piece: string): void {
    const before = this.#last[name];
    this.#last[name] = (typeof before === "string" ? before : "") + piece;
  }
}

/** A call's arguments, which were found to be JSON. */
function inputOf(json: string): JsonObject {
  const value = parseLossless(json);
  return isObject(value) ? value : {};
}
