import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { ChatRequest } from "../../../contract/index.ts";
import { isObject } from "../../../contract/json.ts";
import { COUNTS } from "../../counts.ts";
import { DELIVERY, deliveryOf } from "../delivery.ts";
import { explain, Nullable } from "../../explain.ts";
import { ConversationRequest } from "../../model-request.ts";
import { ResponsesAsChat } from "./responses-body.ts";

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
export function parseChatRequest(body: unknown): ConversationRequest | ResponsesAsChat {
  if (compiled.Check(body)) return new ConversationRequest(body as ChatRequest, deliveryOf(body));
  if (!isObject(body) || "messages" in body || !("input" in body)) throw explain(compiled, body);
  return new ResponsesAsChat(body, deliveryOf(body).includeUsage);
}
