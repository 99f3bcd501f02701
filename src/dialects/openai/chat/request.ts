import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { ChatRequest } from "../../../contract/index.ts";
import { COUNTS } from "../../counts.ts";
import { explain, Nullable } from "../../explain.ts";
import { GatewayError } from "../../../errors/gateway-error.ts";

/** The longest model name worth looking up. */
const MAX_MODEL_LENGTH = 256;

/**
 * As much of OpenAI's request as the core has to rely on; all else is the upstream's to judge.
 * https://platform.openai.com/docs/api-reference/chat/create
 */
export const ChatRequestSchema = Type.Object({
  model: Type.String({
    minLength: 1,
    maxLength: MAX_MODEL_LENGTH,
    description: "One of the ids of GET /v1/models, or upstream/model",
  }),
  messages: Type.Array(
    Type.Object({
      role: Type.String({ minLength: 1, description: "system, developer, user, assistant or tool" }),
      content: Nullable(Type.Union([Type.String(), Type.Array(Type.Object({ type: Type.String() }))])),
    }),
    { minItems: 1, description: "The conversation so far" },
  ),
  stream: Nullable(Type.Boolean({ description: "Server-sent events instead of one JSON answer" })),
  stream_options: Nullable(
    Type.Object({
      include_usage: Nullable(Type.Boolean({ description: "One more chunk, with the usage, before [DONE]" })),
    }),
  ),
  ...COUNTS,
});

const compiled = TypeCompiler.Compile(ChatRequestSchema);

/** The client's body, checked; throws a RequestError that names the field at fault. */
export function parseChatRequest(body: unknown): ChatRequest {
  if (compiled.Check(body)) return body as ChatRequest;
  // Some clients (Cursor with an own base URL) send a Responses body to this address.
  if (typeof body === "object" && body !== null && !("messages" in body) && "input" in body) {
    const message = "this is a body for the Responses API (`input`); /v1/chat/completions takes `messages`";
    throw new GatewayError("missing_required_parameter", message, { param: "messages" });
  }
  throw explain(compiled, body);
}

/** Whether a streamed answer is to end with a chunk that tells the usage. */
export function wantsUsage({ stream_options: options }: Pick<ChatRequest, "stream_options">): boolean {
  return options?.include_usage === true;
}
