import type { ExtraEvent, JsonObject, ReasoningEvent, ToolCallEvent } from "../../../contract/index.ts";
import { UpstreamError } from "../../../contract/index.ts";
import { isObject } from "../../../contract/json.ts";
import type { AnswerEvent } from "../../../answer/answer-event.ts";
import { expectJson } from "../../../answer/tool-calls.ts";
import { GrowingText } from "../../../runtime/growing-text.ts";
import { Bounded } from "../../bounded.ts";
import type { MessagesRequest } from "../request/request.ts";
import { showsThinking } from "./display.ts";
import { JsonProgress } from "./json-progress.ts";

/** Receives the blocks of an answer, one after the other. All but `start` concern the block that was started last. */
export interface BlockSink {
  start(block: JsonObject): void;
  text(text: string): void;
  thinking(text: string): void;
  signature(signature: string): void;
  input(json: string): void;
  citation(citation: JsonObject): void;
  stop(): void;
}

/** A block that more can come of. */
type OpenBlock =
  | { readonly kind: "text" }
  | { readonly kind: "thinking"; readonly block: number | undefined }
  | OpenCall;

interface OpenCall {
  readonly kind: "call";
  readonly index: number;
  readonly name: string;
  readonly input: GrowingText;
  readonly progress: JsonProgress;
}

/** An event that blocks are made of. */
type Content = Extract<AnswerEvent, { type: "text" | "reasoning" | "tool-call" | "extra" }>;

const TEXT: OpenBlock = { kind: "text" };

/**
 * Puts the events of an answer into blocks, which can't overlap: what comes while a tool call is still under way is held
 * until its arguments are whole. A block begins with its first piece, so that none is empty.
 */
export class BlockSequence {
  readonly #sink: BlockSink;
  readonly #ids = new Map<string, string>();
  /** Without it only the signatures of thoughts are shown. */
  readonly #showsThinking: boolean;
  readonly #longNames: ReadonlyMap<string, string>;
  #open: OpenBlock | undefined;
  #held: Content[] = [];
  readonly #bounded = new Bounded();
  #hasRefusal = false;

  constructor(sink: BlockSink, request: MessagesRequest) {
    this.#sink = sink;
    this.#showsThinking = showsThinking(request);
    this.#longNames = request.longNames;
  }

  /** True when a text can be added without further thought. */
  get isInText(): boolean {
    return this.#open === TEXT;
  }

  /** True when the model has said in words of their own that it refuses. */
  get hasRefusal(): boolean {
    return this.#hasRefusal;
  }

  take(event: Content): void {
    if ((event.choice ?? 0) > 0) return;
    const isNext =
      event.type === "tool-call" && this.#open?.kind === "call" && this.#open.index === event.index;
    if (!isNext && this.#isInCall) this.#hold(event);
    else this.#add(event);
    while (this.#held.length > 0 && !this.#isInCall) this.#release();
  }

  /** Throws UpstreamError `bad-response` when more is held than an answer can be. */
  #hold(event: Content): void {
    this.#bounded.add(event);
    this.#held.push(event);
  }

  /**
   * Ends the answer. A call that was cut short stays open, so that nobody takes it for one that can be run; of an answer
   * that wasn't (`isCut`), such a call is the upstream's fault: throws `bad-response`.
   */
  end(isCut: boolean): void {
    if (!this.#isInCall) this.#close();
    else if (!isCut) throw notAnObject();
  }

  get #isInCall(): boolean {
    return this.#open?.kind === "call" && !this.#open.progress.isComplete;
  }

  /** Adds what was held up to the next call that isn't whole, with all its pieces that have come. */
  #release(): void {
    const held = this.#held;
    this.#held = [];
    for (const event of held) this.take(event);
  }

  #add(event: Content): void {
    switch (event.type) {
      case "text":
        return this.#text(event.text);
      case "reasoning":
        return this.#thought(event);
      case "tool-call":
        return this.#call(event);
      case "extra":
        if (event.at === "delta") this.#extra(event);
    }
  }

  #text(text: string): void {
    if (text === "") return;
    this.#enter(TEXT, () => this.#open === TEXT, { type: "text", text: "" });
    this.#sink.text(text);
  }

  #thought({ text, block, signature, redacted }: ReasoningEvent): void {
    if (redacted !== undefined) return this.#whole({ type: "redacted_thinking", data: redacted });
    const shown = this.#showsThinking ? text : "";
    if (shown === "" && signature === undefined) return;
    const isSame = () => this.#open?.kind === "thinking" && this.#open.block === block;
    this.#enter({ kind: "thinking", block }, isSame, { type: "thinking", thinking: "", signature: "" });
    if (shown !== "") this.#sink.thinking(shown);
    if (signature !== undefined) this.#sink.signature(signature);
  }

  #call({ index, id, name, arguments: piece = "", fields }: ToolCallEvent): void {
    if (name !== undefined) {
      this.#close();
      this.#open = { kind: "call", index, name, input: new GrowingText(), progress: new JsonProgress() };
      const own = fields?.["extra_content"];
      this.#sink.start({
        type: "tool_use",
        id: this.#idOf(id ?? ""),
        name: this.#longNames.get(name) ?? name,
        input: {},
        ...nativeMembers(own),
      });
    }
    if (piece === "" || this.#open?.kind !== "call" || this.#open.index !== index) return;
    this.#open.input.add(piece);
    this.#open.progress.add(piece);
    this.#sink.input(piece);
  }

  #extra({ fields }: ExtraEvent): void {
    const { refusal, text_citations: citations, content_blocks: blocks } = fields;
    if (typeof refusal === "string" && refusal !== "") {
      this.#hasRefusal = true;
      this.#text(refusal);
    }
    if (Array.isArray(citations) && this.#open === TEXT)
      for (const { index: _, ...citation } of citations.filter(isObject)) this.#sink.citation(citation);
    if (Array.isArray(blocks))
      for (const { index: _, ...block } of blocks.filter(isObject)) this.#whole(block);
  }

  #whole(block: JsonObject): void {
    this.#close();
    this.#sink.start(block);
    this.#sink.stop();
  }

  #enter(block: OpenBlock, isSame: () => boolean, start: JsonObject): void {
    if (isSame()) return;
    this.#close();
    this.#open = block;
    this.#sink.start(start);
  }

  /** Throws `bad-response` for a call whose arguments are no JSON: clients run one that is closed. */
  #close(): void {
    if (this.#open?.kind === "call") expectJson(this.#open.name, this.#open.input);
    if (this.#open) this.#sink.stop();
    this.#open = undefined;
  }

  /** Of the characters that Anthropic's clients take, and unlike those of the answer's other calls. */
  #idOf(own: string): string {
    const id = own.replaceAll(/[^\w-]/g, "_");
    const before = this.#ids.get(id);
    if (before === undefined || before === own) {
      this.#ids.set(id, own);
      return id;
    }
    return this.#idOf(`${own}_${this.#ids.size}`);
  }
}

/** The members of a call that Anthropic's models give it beside its name and input. */
function nativeMembers(own: JsonObject[string]): JsonObject {
  if (!isObject(own)) return {};
  const { caller, toolset_name: toolset } = own;
  return {
    ...(isObject(caller) && { caller }),
    ...(typeof toolset === "string" && { toolset_name: toolset }),
  };
}

/** Arguments that are JSON in another form than clients of this API can read. */
function notAnObject(): UpstreamError {
  return new UpstreamError(
    "bad-response",
    "the upstream called a tool with arguments that are no JSON object",
  );
}
