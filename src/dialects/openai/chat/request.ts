import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { ChatRequest } from "../../../contract/index.ts";
import { COUNTS } from "../../counts.ts";
import { DELIVERY, deliveryOf } from "../delivery.ts";
import { explain, Nullable } from "../../explain.ts";
import { GatewayError } from "../../../errors/gateway-error.ts";
import { ConversationRequest } from "../../model-request.ts";

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
  ...DELIVERY,
  ...COUNTS,
});

const compiled = TypeCompiler.Compile(ChatRequestSchema);

/** The client's body, checked; throws a GatewayError that names the field at fault. */
export function parseChatRequest(body: unknown): ConversationRequest {
  if (compiled.Check(body)) return new ConversationRequest(body as ChatRequest, deliveryOf(body));
  // Some clients (Cursor with an own base URL) send a Responses body to this address.
  if (typeof body === "object" && body !== null && !("messages" in body) && "input" in body) {
    const message = "this is a body for the Responses API (`input`); /v1/chat/completions takes `messages`";
    throw new GatewayError("missing_required_parameter", message, { param: "messages" });
  }
  throw explain(compiled, body);
}
