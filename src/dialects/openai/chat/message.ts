import type { FinishEvent, FoldedFields, Json, JsonObject, ToolCallEvent } from "../../../contract/index.ts";
import { foldExtra } from "../../../contract/index.ts";
import type { AnswerBatches, AnswerEvent, CountedUsage } from "../../../answer/answer-event.ts";
import { readAll } from "../../../answer/read-all.ts";
import { Bounded } from "../../bounded.ts";
import type { Collected } from "../../dialect.ts";
import { finishFields, finishReason } from "./finish.ts";
import { Identity } from "../identity.ts";
import { ReasoningDetails } from "./reasoning.ts";
import { toolCallBody } from "./tool-call.ts";
import { usageBody } from "../usage.ts";

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
  const body: Record<string, Json> = {
    id,
    object: "chat.completion",
    created,
    model: identity.model,
    choices: [...choices].sort(([a], [b]) => a - b).map(([index, choice]) => choice.body(index)),
  };
  if (usage) body["usage"] = usageBody(usage.usage);
  return { body: { ...body, ...identity.extra }, usage };
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
  #delta: FoldedFields | undefined;
  #extra: FoldedFields | undefined;
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
        if (event.at === "delta") foldExtra((this.#delta ??= {}), event.fields, event.at);
        else foldExtra((this.#extra ??= {}), event.fields);
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
    const finish = this.#finish;
    const body: Record<string, Json> = {
      index,
      message: this.#message(),
      logprobs: null,
      finish_reason: finish ? finishReason(finish) : null,
    };
    return { ...body, ...(finish && finishFields(finish)), ...this.#extra };
  }

  /** Whether it has something to say in place of a text: clients look at that only where `content` is null. */
  get #saysOtherwise(): boolean {
    const delta = this.#delta;
    return (
      this.#calls.length > 0 || Boolean(delta?.["refusal"] || delta?.["audio"] || delta?.["function_call"])
    );
  }

  #message(): JsonObject {
    const message: Record<string, Json> = {
      role: "assistant",
      content: this.#text ?? (this.#saysOtherwise ? null : ""),
    };
    if (this.#reasoning) message["reasoning_content"] = this.#reasoning;
    const details = this.#details.list();
    if (details.length > 0) message["reasoning_details"] = details;
    if (this.#calls.length > 0) message["tool_calls"] = this.#calls.map(toolCallBody);
    return this.#delta ? { ...message, ...this.#delta } : message;
  }
}
