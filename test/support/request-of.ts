import type { ChatRequest } from "../../src/contract/index.ts";
import { ConversationRequest } from "../../src/dialects/model-request.ts";

/** A request with this body, whatever stands in it. */
export function requestOf(body: object): ConversationRequest {
  const request = new ConversationRequest(body as ChatRequest, { stream: false, includeUsage: true });
  return "input" in body ? Object.assign(request, { inputs: body.input }) : request;
}
