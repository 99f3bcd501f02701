import type { GenerateEndpoint } from "../../dialect.ts";
import { COMMENT_FRAME, GENERATED_ANSWER } from "../sse.ts";
import { collect } from "./message.ts";
import { ChatRequestSchema, parseChatRequest } from "./request.ts";
import { CustomCallAnswer, CustomCallWriter, ResponsesAsChat } from "./responses-body.ts";
import { ChunkWriter } from "./stream.ts";

/** OpenAI's chat completions. */
export const chat: GenerateEndpoint = {
  kind: "generate",
  path: "/v1/chat/completions",
  document: {
    summary: "Answer a conversation",
    description:
      "OpenAI's chat completions. A body of the Responses API (`input` in place of `messages`) is answered in this form, too.",
    body: {
      schema: ChatRequestSchema,
      example: { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello!" }], stream: false },
    },
    answer: GENERATED_ANSWER,
  },
  comment: COMMENT_FRAME,
  parse: parseChatRequest,
  writer(request) {
    const chunks = new ChunkWriter(request);
    return request instanceof ResponsesAsChat ? new CustomCallWriter(chunks, request.tools) : chunks;
  },
  collect: (answer, request) =>
    collect(
      request instanceof ResponsesAsChat ? new CustomCallAnswer(answer, request.tools) : answer,
      request.model,
    ),
};
