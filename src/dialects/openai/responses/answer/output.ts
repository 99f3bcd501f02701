import type { AnswerEvent } from "../../../../answer/answer-event.ts";
import type {
  ExtraEvent,
  FinishReason,
  Json,
  JsonObject,
  ReasoningEvent,
  ToolCallEvent,
} from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";
import { ReasoningDetails } from "../../chat/reasoning.ts";
import { CallItem } from "./call-item.ts";
import { ImageItem } from "./image-item.ts";
import type { ItemIdentity, ItemStatus, OutputItem } from "./item.ts";
import { MessageItem } from "./message-item.ts";
import type { ReasoningForm } from "./reasoning-item.ts";
import { ReasoningItem } from "./reasoning-item.ts";
import { wrapReasoning } from "../reasoning.ts";
import type { EventSink } from "./sink.ts";
import type { Tools } from "../request/tools.ts";

/** Of what is said in the order of an answer's events, what becomes which item. */
export interface OutputOptions {
  /** Returns a new id that begins so. */
  readonly newId: (prefix: string) => string;
  readonly sink: EventSink;
  readonly tools: Tools;
  readonly reasoning: ReasoningForm;
}

/** The items of an answer, put together from its events. */
export class Output {
  readonly items: OutputItem[] = [];
  readonly #options: OutputOptions;
  readonly #calls: CallItem[] = [];
  #message: MessageItem | undefined;
  #reasoning: ReasoningItem | undefined;
  #details = new ReasoningDetails();
  #finish: FinishReason | undefined;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** Why the answer ended; undefined before it has. */
  get finish(): FinishReason | undefined {
    return this.#finish;
  }

  /** Takes in an event; the first choice is the only one that is told. */
  take(event: AnswerEvent): void {
    if (event.type === "usage" || (event.choice ?? 0) !== 0) return;
    switch (event.type) {
      case "text":
        if (event.text !== "") this.#speaking().text(event.text);
        break;
      case "reasoning":
        this.#think(event);
        break;
      case "tool-call":
        this.#call(event);
        break;
      case "extra":
        this.#extra(event);
        break;
      case "finish":
        this.#end(event.reason);
        break;
    }
  }

  /** Returns the items as they are at the end. */
  bodies(): JsonObject[] {
    return this.items.map((item) => item.body(this.#statusOf(item)));
  }

  /** Returns the same as a later request needs them. */
  kept(): JsonObject[] {
    return this.items.map((item) => item.kept(this.#statusOf(item)));
  }

  /** Returns the items whose end was told. */
  doneBodies(): JsonObject[] {
    return this.items.filter(({ isDone }) => isDone).map((item) => item.body("completed"));
  }

  #think(event: ReasoningEvent): void {
    this.#endMessage();
    const { newId, sink, reasoning } = this.#options;
    this.#reasoning ??= this.#add((identity) => new ReasoningItem(identity, reasoning, sink), newId("rs"));
    this.#details.take(event);
    if (event.text !== "") this.#reasoning.text(event.text);
  }

  #speaking(): MessageItem {
    this.#endReasoning();
    const { newId, sink } = this.#options;
    return (this.#message ??= this.#add((identity) => new MessageItem(identity, sink), newId("msg")));
  }

  #call({ index, id, name, arguments: piece = "", fields }: ToolCallEvent): void {
    this.#endReasoning();
    this.#endMessage();
    const call = (this.#calls[index] ??= this.#begin(id ?? "", name ?? "", fields));
    if (piece !== "") call.push(piece);
  }

  #begin(callId: string, name: string, fields: JsonObject = {}): CallItem {
    const { newId, sink, tools } = this.#options;
    const tool = tools.raise(name);
    const make = (identity: ItemIdentity) => {
      const call = new CallItem({ ...identity, callId, tool }, sink);
      call.addFields(fields);
      return call;
    };
    return this.#add(make, newId(tool.type === "custom" ? "ctc" : "fc"));
  }

  #extra({ at, fields }: ExtraEvent): void {
    const { refusal, annotations, images } = fields;
    if (at === "choice" && isObject(fields["logprobs"])) this.#message?.addLogprobs(fields["logprobs"]);
    if (at !== "delta") return;
    if (typeof refusal === "string" && refusal !== "") this.#speaking().refuse(refusal);
    for (const annotation of listOf(annotations)) {
      const flat = flatAnnotation(annotation);
      if (flat) this.#speaking().annotate(flat);
    }
    for (const image of listOf(images)) this.#image(image);
  }

  #image(image: Json): void {
    const url = isObject(image) && isObject(image["image_url"]) ? image["image_url"]["url"] : undefined;
    const data = typeof url === "string" ? /^data:[^,]*;base64,(.*)$/s.exec(url)?.[1] : undefined;
    if (data === undefined) return;
    this.#endReasoning();
    this.#endMessage();
    const { newId, sink } = this.#options;
    this.#add((identity) => new ImageItem(identity, data, sink), newId("ig")).done("completed");
  }

  #add<Item extends OutputItem>(make: (identity: ItemIdentity) => Item, id: string): Item {
    const item = make({ id, index: this.items.length });
    this.items.push(item);
    item.add();
    return item;
  }

  #endMessage(): void {
    this.#message?.done("completed");
    this.#message = undefined;
  }

  #endReasoning(): void {
    const reasoning = this.#reasoning;
    if (!reasoning) return;
    const details = this.#details.list();
    if (details.some((detail) => "signature" in detail || "data" in detail)) {
      reasoning.encrypted = wrapReasoning(details);
    }
    reasoning.done("completed");
    this.#reasoning = undefined;
    this.#details = new ReasoningDetails();
  }

  /** Tells the ends of all items, but never that of a call which can't be run. */
  #end(finish: FinishReason): void {
    this.#finish = finish;
    this.#endReasoning();
    const isCut = this.#isCut;
    for (const item of this.items) {
      if (isCut && item instanceof CallItem && !item.isWhole) continue;
      item.done(this.#statusOf(item));
    }
  }

  get #isCut(): boolean {
    return this.#finish === "length" || this.#finish === "content_filter";
  }

  /** What was cut is the last item: a text, or a call that isn't whole. */
  #statusOf(item: OutputItem): ItemStatus {
    if (!this.#isCut || item !== this.items.at(-1)) return "completed";
    return item instanceof CallItem && item.isWhole ? "completed" : "incomplete";
  }
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Chat completions put a citation's members into one named like its type; Responses have them beside it. */
function flatAnnotation(annotation: Json): JsonObject | undefined {
  if (!isObject(annotation) || typeof annotation["type"] !== "string") return undefined;
  const { type, [annotation["type"]]: inner, ...rest } = annotation;
  return isObject(inner) ? { type, ...inner, ...rest } : annotation;
}
