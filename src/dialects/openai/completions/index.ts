import type { FinishEvent, FoldedFields, JsonObject } from "../../../contract/index.ts";
import { foldExtra } from "../../../contract/index.ts";
import type { AnswerBatches, AnswerEvent, CountedUsage } from "../../../answer/answer-event.ts";
import { readAll } from "../../../answer/read-all.ts";
import type { Collected, FrameWriter, GenerateEndpoint, WriterOptions } from "../../dialect.ts";
import { Bounded } from "../../bounded.ts";
import { Identity } from "../identity.ts";
import { errorFrame } from "../error.ts";
import { COMMENT_FRAME, DONE_FRAME, GENERATED_ANSWER } from "../sse.ts";
import { usageBody } from "../usage.ts";
import type { GatewayError } from "../../../errors/gateway-error.ts";
import { CompletionsRequestSchema, parseCompletionsRequest } from "./request.ts";

/** OpenAI's legacy completions: a text and nothing else. */
export const completions: GenerateEndpoint = {
  kind: "generate",
  path: "/v1/completions",
  document: {
    summary: "Continue a text",
    description:
      "OpenAI's legacy completions. Where the upstream only holds conversations, the prompt is what the user says.",
    body: {
      schema: CompletionsRequestSchema,
      example: { model: "gpt-4o-mini", prompt: "Once upon a time" },
    },
    answer: GENERATED_ANSWER,
  },
  comment: COMMENT_FRAME,
  parse: parseCompletionsRequest,
  writer: (options) => new CompletionWriter(options),
  collect: (answer, { model }) => collect(answer, model),
};

const ID_PREFIX = "cmpl";

class CompletionWriter implements FrameWriter {
  readonly #identity: Identity;
  readonly #includeUsage: boolean;

  constructor({ model, includeUsage }: WriterOptions) {
    this.#identity = new Identity(model, ID_PREFIX);
    this.#includeUsage = includeUsage;
  }

  write(event: AnswerEvent): string {
    switch (event.type) {
      case "text":
        return this.#frame({ choices: [choiceBody(event.choice, event.text)] });
      case "finish":
        return this.#frame({ choices: [{ ...choiceBody(event.choice, ""), finish_reason: reason(event) }] });
      case "usage":
        return this.#includeUsage ? this.#frame(usageFields(event)) : "";
      case "extra":
        if (event.at === "chunk") this.#identity.learn(event.fields);
        else if (event.at === "choice") {
          return this.#frame({ choices: [{ ...choiceBody(event.choice, ""), ...event.fields }] });
        }
        return "";
      // A text has no place for a thought or a tool call.
      case "reasoning":
      case "tool-call":
        return "";
    }
  }

  end(): string {
    return DONE_FRAME;
  }

  failed(error: GatewayError): string {
    return errorFrame(error);
  }

  #frame(fields: JsonObject): string {
    const usage = this.#includeUsage ? { usage: null } : {};
    return `data: ${JSON.stringify({ ...head(this.#identity), ...usage, ...fields })}\n\n`;
  }
}

interface Choice {
  text: string;
  finish?: FinishEvent;
  readonly extra: FoldedFields;
}

async function collect(answer: AnswerBatches, model: string): Promise<Collected> {
  const identity = new Identity(model, ID_PREFIX);
  const choices = new Map<number, Choice>();
  const bounded = new Bounded();
  let usage: CountedUsage | undefined;
  await readAll(answer, (event) => {
    bounded.add(event);
    if (event.type === "usage") usage = event;
    else if (event.type === "extra" && event.at === "chunk") identity.learn(event.fields);
    else take(choiceAt(choices, event.choice ?? 0), event);
  });
  const body = {
    ...head(identity),
    choices: [...choices]
      .sort(([a], [b]) => a - b)
      .map(([index, { text, finish, extra }]) => ({
        ...choiceBody(index, text),
        finish_reason: finish ? reason(finish) : null,
        ...extra,
      })),
    ...(usage && { usage: usageBody(usage.usage) }),
  };
  return { body, usage };
}

function choiceAt(choices: Map<number, Choice>, index: number): Choice {
  let choice = choices.get(index);
  if (!choice) {
    choice = { text: "", extra: {} };
    choices.set(index, choice);
  }
  return choice;
}

function take(choice: Choice, event: Exclude<AnswerEvent, CountedUsage>): void {
  if (event.type === "text") choice.text += event.text;
  else if (event.type === "finish") choice.finish = event;
  else if (event.type === "extra") foldExtra(choice.extra, event.fields);
}

function head({ id, created, model, extra }: Identity): JsonObject {
  return { id, object: "text_completion", created, model, ...extra };
}

function choiceBody(index = 0, text: string): JsonObject {
  return { index, text, logprobs: null, finish_reason: null };
}

function usageFields({ usage, source }: CountedUsage): JsonObject {
  return { choices: [], usage: usageBody(usage), x_modelyard: { usage: source } };
}

/** Legacy completions know no tools. */
function reason({ reason: said }: FinishEvent): string {
  return said === "tool_calls" ? "stop" : said;
}
