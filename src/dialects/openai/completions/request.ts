import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { Call, ChatRequest, ChatStream, CompletionRequest, Upstream } from "../../../contract/index.ts";
import { UpstreamError } from "../../../contract/index.ts";
import { keepMeaning } from "../../../json/source.ts";
import { COUNTS } from "../../counts.ts";
import { explain } from "../../explain.ts";
import { GatewayError } from "../../../errors/gateway-error.ts";
import { GenerateRequest, unlessUnsupported } from "../../model-request.ts";
import { DELIVERY, deliveryOf } from "../delivery.ts";

/** https://platform.openai.com/docs/api-reference/completions/create */
export const CompletionsRequestSchema = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 256, description: "One of the ids of GET /v1/models" }),
  prompt: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 1 })], {
    description: "The text to continue: one string",
  }),
  ...DELIVERY,
  ...COUNTS,
});

const compiled = TypeCompiler.Compile(CompletionsRequestSchema);

/** The client's body, checked; throws a GatewayError that names the field at fault. */
export function parseCompletionsRequest(body: unknown): TextRequest {
  if (typeof body === "object" && body !== null) refuseMistaken(body);
  if (!compiled.Check(body)) throw explain(compiled, body);
  const { prompt } = body;
  const request =
    typeof prompt === "string"
      ? (body as CompletionRequest)
      : keepMeaning({ ...body, prompt: prompt[0] ?? "" });
  return new TextRequest(request, deliveryOf(body));
}

/** A text to be continued. */
class TextRequest extends GenerateRequest<CompletionRequest> {
  /** Upstreams or models that only hold conversations are asked in one. */
  async ask(upstream: Upstream, model: string, call: Call): Promise<ChatStream> {
    const asked = this.bodyFor(model);
    const chat = () => upstream.chat(asChat(asked), call);
    const complete = upstream.complete?.bind(upstream);
    // A server may have the endpoint for some of its models only.
    return complete ? unlessUnsupported(() => complete(asked, call), chat) : chat();
  }
}

/** What is a good request elsewhere gets more of an answer than that it doesn't fit. */
function refuseMistaken(body: { readonly prompt?: unknown; readonly messages?: unknown }): void {
  if (body.messages !== undefined) {
    const message = "this is a conversation (`messages`), which belongs to /v1/chat/completions";
    throw new GatewayError("invalid_value", message, { param: "messages" });
  }
  const { prompt } = body;
  if (
    Array.isArray(prompt) &&
    (prompt.length > 1 || (prompt.length === 1 && typeof prompt[0] !== "string"))
  ) {
    const message =
      "prompt: one text a request is continued here; send several as several requests, and token numbers as text";
    throw new GatewayError("invalid_value", message, { param: "prompt" });
  }
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
    throw new UpstreamError("unsupported", message, { param: missing });
  }
  const kept = Object.entries(rest).filter(([field]) => !Object.hasOwn(NOT_IN_CHAT, field));
  const { model } = rest;
  return { ...Object.fromEntries(kept), model, messages: [{ role: "user", content: prompt }] };
}

function asksFor(field: string, value: unknown): boolean {
  return value !== undefined && value !== null && !NOT_IN_CHAT[field]?.includes(value);
}
