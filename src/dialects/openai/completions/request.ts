import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type {
  Call,
  ChatRequest,
  ChatStream,
  CompletionRequest,
  Prompt,
  Upstream,
} from "../../../contract/index.ts";
import { promptsOf, UpstreamError } from "../../../contract/index.ts";
import { keepMeaning } from "../../../json/source.ts";
import { COUNTS } from "../../counts.ts";
import { explain } from "../../explain.ts";
import { GatewayError } from "../../../errors/gateway-error.ts";
import { GenerateRequest, unlessUnsupported } from "../../model-request.ts";
import { DELIVERY, deliveryOf } from "../delivery.ts";
import { PromptAnswers } from "./prompt-answers.ts";

/** https://platform.openai.com/docs/api-reference/completions/create */
export const CompletionsRequestSchema = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 256, description: "One of the ids of GET /v1/models" }),
  prompt: Type.Union(
    [
      Type.String(),
      Type.Array(Type.String(), { minItems: 1 }),
      Type.Array(Type.Integer(), { minItems: 1 }),
      Type.Array(Type.Array(Type.Integer(), { minItems: 1 }), { minItems: 1 }),
    ],
    { description: "The text to continue, several of them, or the same as token numbers" },
  ),
  ...DELIVERY,
  ...COUNTS,
});

const compiled = TypeCompiler.Compile(CompletionsRequestSchema);

/** The client's body, checked; throws a GatewayError that names the field at fault. */
export function parseCompletionsRequest(body: unknown): TextRequest {
  if (typeof body === "object" && body !== null) refuseMistaken(body);
  if (!compiled.Check(body)) throw explain(compiled, body);
  const prompt = body.prompt as Prompt;
  const [only, ...others] = promptsOf(prompt);
  const isListOfOne = others.length === 0 && typeof only === "string" && only !== prompt;
  const request = new TextRequest(
    isListOfOne ? keepMeaning({ ...body, prompt: only }) : (body as CompletionRequest),
    deliveryOf(body),
  );
  if (request.choices <= MAX_CHOICES) return request;
  const message = `prompt: at most ${MAX_CHOICES} answers a request, and these are ${request.choices}`;
  throw new GatewayError("invalid_value", message, { param: "prompt" });
}

/** The most choices that an answer may have. */
const MAX_CHOICES = 1_024;
/** The most choices of which each prompt is asked by itself. */
const MAX_CHOICES_ASKED = 128;

/** Texts to be continued. */
class TextRequest extends GenerateRequest<CompletionRequest> {
  override get choices(): number {
    return promptsOf(this.body.prompt).length * super.choices;
  }

  /** Clients tell by its place which prompt a choice belongs to. */
  override get needsAllChoices(): boolean {
    return promptsOf(this.body.prompt).length > 1;
  }

  /** Asks for all prompts at once where the upstream can, and else once for each. */
  ask(upstream: Upstream, model: string, call: Call): ChatStream | Promise<ChatStream> {
    const asked = this.bodyFor(model);
    if (typeof asked.prompt === "string") return continued(upstream, asked, call);
    const each = () => this.#askEach(upstream, asked, call);
    const complete = upstream.completesLists ? upstream.complete?.bind(upstream) : undefined;
    return complete ? unlessUnsupported(() => complete(asked, call), each) : each();
  }

  #askEach(upstream: Upstream, asked: CompletionRequest, call: Call): ChatStream {
    const prompts = promptsOf(asked.prompt);
    if (this.choices > MAX_CHOICES_ASKED)
      throw unsupported(`prompt: the upstream answers at most ${MAX_CHOICES_ASKED} at a time`, "prompt");
    if (!areTexts(prompts))
      throw unsupported("prompt: the upstream takes text only, no token numbers", "prompt");
    const list = {
      prompts,
      choices: super.choices,
      whole: !this.stream && upstream.alwaysStreams !== true,
      ask: (prompt: string) => {
        const one = { ...asked, prompt };
        // One that takes lists has just said that it can't complete.
        return upstream.completesLists ? upstream.chat(asChat(one), call) : continued(upstream, one, call);
      },
    };
    return new PromptAnswers(list, call);
  }
}

function areTexts(prompts: readonly unknown[]): prompts is readonly string[] {
  return prompts.every((prompt) => typeof prompt === "string");
}

/** Continues one text. Upstreams or models that only hold conversations are asked in one. */
function continued(
  upstream: Upstream,
  asked: CompletionRequest,
  call: Call,
): ChatStream | Promise<ChatStream> {
  const chat = () => upstream.chat(asChat(asked), call);
  const complete = upstream.complete?.bind(upstream);
  // A server may have the endpoint for some of its models only.
  return complete ? unlessUnsupported(() => complete(asked, call), chat) : chat();
}

/** What is a good request elsewhere gets more of an answer than that it doesn't fit. */
function refuseMistaken(body: { readonly messages?: unknown }): void {
  if (body.messages === undefined) return;
  const message = "this is a conversation (`messages`), which belongs to /v1/chat/completions";
  throw new GatewayError("invalid_value", message, { param: "messages" });
}

function unsupported(message: string, param: string): UpstreamError {
  return new UpstreamError("unsupported", message, { param });
}

/** What a conversation can't express, and the values with which each field asks for nothing. */
const NOT_IN_CHAT: Readonly<Record<string, readonly unknown[]>> = {
  suffix: [""],
  echo: [false],
  best_of: [1],
  logprobs: [],
};

/**
 * The same request for an upstream that only holds conversations: the prompt is what the user says. Fields
 * that mean the same there travel on; throws UpstreamError `unsupported` for those that a conversation has not.
 */
function asChat({ prompt, ...rest }: CompletionRequest): ChatRequest {
  const missing = Object.keys(NOT_IN_CHAT).find((field) => asksFor(field, rest[field]));
  if (missing) {
    const message = `${missing}: the upstream answers conversations only, which have no such parameter`;
    throw unsupported(message, missing);
  }
  const kept = Object.entries(rest).filter(([field]) => !Object.hasOwn(NOT_IN_CHAT, field));
  const { model } = rest;
  return { ...Object.fromEntries(kept), model, messages: [{ role: "user", content: prompt as string }] };
}

function asksFor(field: string, value: unknown): boolean {
  return value !== undefined && value !== null && !NOT_IN_CHAT[field]?.includes(value);
}
