import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { ChatRequest, CompletionRequest } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { explain, Nullable } from "../explain.ts";

/** https://platform.openai.com/docs/api-reference/completions/create */
export const CompletionsRequestSchema = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 256, description: "One of the ids of GET /v1/models" }),
  prompt: Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 1 })], {
    description: "The text to continue: one string",
  }),
  stream: Nullable(Type.Boolean({ description: "Server-sent events instead of one JSON answer" })),
  stream_options: Nullable(Type.Object({ include_usage: Nullable(Type.Boolean()) })),
  n: Nullable(Type.Integer({ minimum: 1, maximum: 128, description: "How many answers" })),
});

const compiled = TypeCompiler.Compile(CompletionsRequestSchema);

/** The client's body, checked; throws a RequestError that names the field at fault. */
export function parseCompletionsRequest(body: unknown): CompletionRequest {
  if (!compiled.Check(body)) throw explain(compiled, body);
  const { prompt } = body;
  return { ...body, prompt: typeof prompt === "string" ? prompt : (prompt[0] ?? "") };
}

/** What a conversation can't express. */
const NOT_IN_CHAT = ["suffix", "echo", "best_of", "logprobs"] as const;

/**
 * The same request for an upstream that only holds conversations: the prompt is what the user says. Fields
 * that mean the same there travel on; throws UpstreamError `unsupported` for those that a conversation has not.
 */
export function asChat({ prompt, ...rest }: CompletionRequest): ChatRequest {
  const missing = NOT_IN_CHAT.find((field) => asksFor(rest[field]));
  if (missing) {
    const message = `${missing}: the upstream answers conversations only, which have no such parameter`;
    throw new UpstreamError("unsupported", message, { param: missing });
  }
  const kept = Object.entries(rest).filter(([field]) => !(NOT_IN_CHAT as readonly string[]).includes(field));
  const { model } = rest;
  return { ...Object.fromEntries(kept), model, messages: [{ role: "user", content: prompt }] };
}

/** Whether a value is more than what the field's default says. */
function asksFor(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== "" && value !== 1;
}
