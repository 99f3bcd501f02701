import type { GenerateEndpoint } from "../../dialect.ts";
import { generatedAnswer } from "../../operation-document.ts";
import { COMMENT_FRAME } from "../sse.ts";
import type { ResponsesRequest } from "./request/request.ts";
import { parseResponsesRequest } from "./request/request.ts";
import { ResponsesRequestSchema } from "./request/schema.ts";
import { collect, ResponseWriter } from "./answer/writer.ts";

/** OpenAI's Responses. */
export const responses: GenerateEndpoint<ResponsesRequest> = {
  kind: "generate",
  path: "/v1/responses",
  document: {
    summary: "Answer a conversation, as items",
    description: "OpenAI's Responses, in front of every upstream.",
    body: {
      schema: ResponsesRequestSchema,
      example: { model: "gpt-4o-mini", input: "Hello!", stream: false },
    },
    answer: generatedAnswer(
      "The answer: one JSON object, or with `stream: true` server-sent events that end with `response.completed` or `response.incomplete`, or with `error` and `response.failed` where the answer broke off.",
    ),
  },
  comment: COMMENT_FRAME,
  parse: parseResponsesRequest,
  writer: (request) => new ResponseWriter(request),
  collect,
};
