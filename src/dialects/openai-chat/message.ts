import type { FinishEvent, FoldedFields, JsonObject, ToolCallEvent } from "../../contract/index.ts";
import { foldExtra } from "../../contract/index.ts";
import type { AnswerBatches, AnswerEvent, CountedUsage } from "../../flow/answer-event.ts";
import { readAll } from "../../flow/read-all.ts";
import { Bounded } from "../bounded.ts";
import type { Collected } from "../dialect.ts";
import { finishFields, finishReason } from "./finish.ts";
import { Identity } from "./identity.ts";
import { ReasoningDetails } from "./reasoning.ts";
import { toolCallBody } from "./tool-call.ts";
import { usageBody } from "./usage.ts";

/**
 * Collects an answer into OpenAI's `chat.completion`.
 * https://platform.openai.com/docs/api-reference/chat/object
 */
export async function collect(answer: AnswerBatches, model: string): Promise<Collected> {
  const identity = new Identity(model, "chatcmpl");
  const choices = new Map<number, Choice>();
  let usage: CountedUsage | undefined;
  const bounded = new Bounded();
  await readAll(answer, (event) => {
    bounded.add(event);
    if (event.type === "usage") usage = event;
    else if (event.type === "extra" && event.at === "chunk") identity.learn(event.fields);
    else choiceAt(choices, event.choice ?? 0).take(event);
  });
  const { id, created } = identity;
  const body = {
    id,
    object: "chat.completion",
    created,
    model: identity.model,
    choices: [...choices].sort(([a], [b]) => a - b).map(([index, choice]) => choice.body(index)),
    ...(usage && { usage: usageBody(usage.usage) }),
    ...identity.extra,
  };
  return { body, usage };
}

function choiceAt(choices: Map<number, Choice>, index: number): Choice {
  let choice = choices.get(index);
  if (!choice) {
    choice = new Choice();
    choices.set(index, choice);
  }
  return choice;
}

type ChoiceEvent = Exclude<AnswerEvent, CountedUsage>;

interface CollectedCall {
  readonly id: string | undefined;
  readonly name: string | undefined;
  arguments: string;
  readonly fields: FoldedFields;
}

/** One choice in the making. Strings grow by `+=`, which the engine keeps as a rope. */
class Choice {
  #text: string | undefined;
  #reasoning = "";
  readonly #details = new ReasoningDetails();
  readonly #calls: CollectedCall[] = [];
  readonly #delta: FoldedFields = {};
  readonly #extra: FoldedFields = {};
  #finish: FinishEvent | undefined;

  take(event: ChoiceEvent): void {
    switch (event.type) {
      case "text":
        this.#text = (this.#text ?? "") + event.text;
        break;
      case "reasoning":
        this.#reasoning += event.text;
        this.#details.take(event);
        break;
      case "tool-call":
        this.#toolCall(event);
        break;
      case "extra":
        foldExtra(event.at === "delta" ? this.#delta : this.#extra, event.fields);
        break;
      case "finish":
        this.#finish = event;
        break;
    }
  }

  #toolCall({ index, id, name, arguments: piece = "", fields = {} }: ToolCallEvent): void {
    const call = (this.#calls[index] ??= { id, name, arguments: "", fields: {} });
    call.arguments += piece;
    foldExtra(call.fields, fields);
  }

  body(index: number): JsonObject {
    const details = this.#details.list();
    const message = {
      role: "assistant",
      content: this.#text ?? (this.#calls.length > 0 ? null : ""),
      ...(this.#reasoning && { reasoning_content: this.#reasoning }),
      ...(details.length > 0 && { reasoning_details: details }),
      ...(this.#calls.length > 0 && { tool_calls: this.#calls.map(toolCallBody) }),
      refusal: null,
      ...this.#delta,
    };
    return {
      index,
      message,
      logprobs: null,
      finish_reason: this.#finish ? finishReason(this.#finish) : null,
      ...(this.#finish && finishFields(this.#finish)),
      ...this.#extra,
    };
  }
}
