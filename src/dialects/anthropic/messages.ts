import type { GenerateEndpoint } from "../dialect.ts";
import { generatedAnswer } from "../operation-document.ts";
import { collectMessage } from "./answer/message.ts";
import { MessageWriter } from "./answer/stream.ts";
import { PING_FRAME } from "./frame.ts";
import type { MessagesRequest } from "./request/request.ts";
import { parseMessagesRequest } from "./request/request.ts";
import { MessagesRequestSchema } from "./request/schema.ts";

/** Anthropic's Messages API. */
export const messages: GenerateEndpoint<MessagesRequest> = {
  kind: "generate",
  path: "/v1/messages",
  document: {
    summary: "Answer a conversation, as Anthropic's API does",
    description: "Anthropic's Messages API, in front of every upstream.",
    body: {
      schema: MessagesRequestSchema,
      example: {
        model: "gpt-4o-mini",
        max_tokens: 1024,
        messages: [{ role: "user", content: "Hello!" }],
        stream: false,
      },
    },
    answer: generatedAnswer(
      "The answer: one JSON object, or with `stream: true` server-sent events that end with `message_stop`, or with `error` where the answer broke off.",
    ),
  },
  comment: PING_FRAME,
  parse: parseMessagesRequest,
  writer: (request, usageSoFar) => new MessageWriter(request, usageSoFar),
  collect: collectMessage,
};
