import type { Response as ResponseObject, ResponseStreamEvent } from "openai/resources/responses/responses";

/** A stream of the Responses API whose order was checked. */
export interface CheckedStream {
  readonly events: readonly ResponseStreamEvent[];
  /** The object of the last event. */
  readonly response: ResponseObject;
  /** Whether `[DONE]` ended it. */
  readonly isDone: boolean;
  readonly text: string;
}

type Fields = Readonly<Record<string, unknown>>;

interface OpenItem {
  readonly item: Fields;
  /** Of each content or summary part: what came of it, until it is closed. */
  readonly parts: Map<string, { text: string; isClosed: boolean }>;
  argued: string;
  isArgued: boolean;
  isDone: boolean;
}

const ENDS = ["response.completed", "response.incomplete", "response.failed"];
/** Of texts: the deltas' event, and the end's with the member that has the whole. */
const TEXTS: Readonly<Record<string, string>> = {
  "response.output_text": "text",
  "response.refusal": "refusal",
  "response.reasoning_text": "text",
  "response.reasoning_summary_text": "text",
};
const ARGUMENTS: Readonly<Record<string, string>> = {
  "response.function_call_arguments": "arguments",
  "response.custom_tool_call_input": "input",
};

/** Reads a stream to its end; throws where a frame, its number, an index, an id or the order of events is wrong. */
export function checkResponsesStream(text: string): CheckedStream {
  const { events, isDone } = framesOf(text);
  const check = new Checker();
  for (const event of events) check.take(event as unknown as Fields & { type: string });
  return { events, response: check.end(isDone), isDone, text };
}

function framesOf(text: string): { events: ResponseStreamEvent[]; isDone: boolean } {
  const frames = text.split("\n\n");
  expectThat(frames.pop() === "", "the stream ends within a frame");
  const own = frames.filter((frame) => !frame.startsWith(":"));
  const isDone = own.at(-1) === "data: [DONE]";
  if (isDone) own.pop();
  const events = own.map((frame) => {
    const [, name, data] = /^event: ([\w.]+)\ndata: ([^\n]+)$/.exec(frame) ?? [];
    const event = JSON.parse(data ?? "null") as ResponseStreamEvent;
    expectThat(event?.type === name, `the frame's name is its type: ${frame.slice(0, 200)}`);
    return event;
  });
  return { events, isDone };
}

class Checker {
  readonly #items: OpenItem[] = [];
  #number = 0;
  #id = "";
  #hasError = false;
  #last: (Fields & { type: string }) | undefined;

  take(event: Fields & { type: string }): void {
    const { type } = event;
    expectThat(event["sequence_number"] === this.#number, `${type} has the number ${this.#number}`);
    expectThat(!this.#last || !ENDS.includes(this.#last.type), `nothing follows the end, ${type} neither`);
    if (this.#number === 0) expectThat(type === "response.created", "it begins with response.created");
    if (this.#number === 1) expectThat(type === "response.in_progress", "response.in_progress comes second");
    this.#number += 1;
    this.#last = event;
    if (this.#hasError) expectThat(type === "response.failed", "only response.failed follows an error");
    if (event["response"]) this.#response(event["response"] as Fields);
    else if (type === "error") this.#hasError = true;
    else if (type === "response.output_item.added") this.#add(event);
    else this.#within(event);
  }

  end(isDone: boolean): ResponseObject {
    const last = this.#last;
    expectThat(last && ENDS.includes(last.type), `it ends, and not with ${last?.type}`);
    const response = last?.["response"] as ResponseObject;
    expectThat(`response.${response.status}` === last?.type, "the last event says the status");
    expectThat(isDone === (response.status !== "failed"), "[DONE] ends a stream that didn't fail");
    expectThat(this.#hasError === (response.status === "failed"), "an error goes before response.failed");
    if (response.status === "failed") {
      expectThat(response.usage === null, "a failed answer has no usage");
      return response;
    }
    this.#whole(response);
    return response;
  }

  #whole(response: ResponseObject): void {
    const ids = response.output.map((item) => item.id);
    expectThat(
      Bun.deepEquals(
        ids,
        this.#items.map(({ item }) => item["id"]),
      ),
      "the output has all items",
    );
    for (const [index, { isDone, item }] of this.#items.entries()) {
      const { status } = response.output[index] as { status?: string };
      expectThat(isDone || status === "incomplete", `${String(item["id"])} is done`);
      if (response.status === "completed") expectThat(isDone, `${String(item["id"])} is done`);
    }
    expectThat(response.usage && typeof response.usage.total_tokens === "number", "it tells its usage");
  }

  #response(response: Fields): void {
    this.#id ||= String(response["id"]);
    expectThat(response["id"] === this.#id && /^resp_[0-9a-f]{48}$/.test(this.#id), "one id all the time");
    for (const name of REQUIRED) expectThat(response[name] !== undefined, `the object has ${name}`);
  }

  #add({ output_index: index, item }: Fields): void {
    expectThat(index === this.#items.length, `the next item has the index ${this.#items.length}`);
    const added = item as Fields;
    expectThat(typeof added["id"] === "string" && added["id"] !== "", "an item has an id");
    expectThat(!this.#items.some((each) => each.item["id"] === added["id"]), "ids are unique");
    this.#items.push({ item: added, parts: new Map(), argued: "", isArgued: false, isDone: false });
  }

  #within(event: Fields & { type: string }): void {
    const { type, output_index: index } = event;
    const open = this.#items[Number(index)];
    expectThat(open && !open.isDone, `${type} belongs to an open item`);
    if (!open) return;
    if (type === "response.output_item.done") return this.#done(open, event["item"] as Fields);
    expectThat(event["item_id"] === open.item["id"], `${type} has its item's id`);
    const [, stem = type, step] = /^(.*)\.(delta|done|added)$/.exec(type) ?? [];
    if (/\.(content|reasoning_summary)_part$/.test(stem)) this.#part(open, event, step);
    else if (TEXTS[stem]) this.#text(open, event, step === "delta" ? undefined : TEXTS[stem]);
    else if (ARGUMENTS[stem]) this.#argue(open, event, step === "delta" ? undefined : ARGUMENTS[stem]);
    else expectThat(type === "response.output_text.annotation.added", `${type} is known`);
  }

  #part(open: OpenItem, event: Fields, step: string | undefined): void {
    const key = partOf(event);
    const part = open.parts.get(key);
    if (step === "added") {
      expectThat(!part && partIndex(event) === open.parts.size, `the next part is ${open.parts.size}`);
      expectThat(
        [...open.parts.values()].every(({ isClosed }) => isClosed),
        "one part at a time",
      );
      open.parts.set(key, { text: "", isClosed: false });
      return;
    }
    expectThat(part && !part.isClosed, "an open part ends");
    const { text, refusal } = event["part"] as Fields;
    expectThat((text ?? refusal) === part?.text, "a part ends with its whole text");
    if (part) part.isClosed = true;
  }

  #text(open: OpenItem, event: Fields, whole: string | undefined): void {
    const part = open.parts.get(partOf(event));
    expectThat(part && !part.isClosed, "a text belongs to an open part");
    if (!part) return;
    if (whole === undefined) part.text += String(event["delta"]);
    else expectThat(event[whole] === part.text, "a text ends with all its deltas");
  }

  #argue(open: OpenItem, event: Fields, whole: string | undefined): void {
    expectThat(!open.isArgued, "no arguments follow their end");
    if (whole === undefined) open.argued += String(event["delta"]);
    else {
      expectThat(event[whole] === open.argued, "arguments end with all their deltas");
      open.isArgued = true;
    }
  }

  #done(open: OpenItem, item: Fields): void {
    open.isDone = true;
    const { type, id } = open.item;
    expectThat(item["id"] === id && item["type"] === type, "an item ends as it began");
    expectThat(
      [...open.parts.values()].every(({ isClosed }) => isClosed),
      "its parts are closed",
    );
    if (type === "function_call" || type === "custom_tool_call") {
      expectThat(open.isArgued, "a call's arguments are closed");
      expectThat((item["arguments"] ?? item["input"]) === open.argued, "a call ends with its arguments");
    }
  }
}

function partOf(event: Fields): string {
  return "summary_index" in event
    ? `summary ${String(event["summary_index"])}`
    : String(event["content_index"]);
}

function partIndex(event: Fields): unknown {
  return event["summary_index"] ?? event["content_index"];
}

/** What the published schema of a Responses object requires. */
export const REQUIRED = [
  "id",
  "object",
  "created_at",
  "completed_at",
  "status",
  "incomplete_details",
  "model",
  "previous_response_id",
  "instructions",
  "output",
  "error",
  "tools",
  "tool_choice",
  "truncation",
  "parallel_tool_calls",
  "text",
  "top_p",
  "presence_penalty",
  "frequency_penalty",
  "top_logprobs",
  "temperature",
  "reasoning",
  "user",
  "usage",
  "max_output_tokens",
  "max_tool_calls",
  "store",
  "background",
  "service_tier",
  "metadata",
  "safety_identifier",
  "prompt_cache_key",
];

function expectThat(isSo: unknown, what: string): void {
  if (!isSo) throw new Error(`not so in this stream: ${what}`);
}
