import type { GenerateEndpoint } from "../../dialect.ts";
import { COMMENT_FRAME, GENERATED_ANSWER } from "../sse.ts";
import { collect } from "./message.ts";
import { ChatRequestSchema, parseChatRequest } from "./request.ts";
import { ChunkWriter } from "./stream.ts";

/** OpenAI's chat completions. */
export const chat: GenerateEndpoint = {
  kind: "generate",
  path: "/v1/chat/completions",
  document: {
    summary: "Answer a conversation",
    description: "OpenAI's chat completions.",
    body: {
      schema: ChatRequestSchema,
      example: { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello!" }], stream: false },
    },
    answer: GENERATED_ANSWER,
  },
  comment: COMMENT_FRAME,
  parse: parseChatRequest,
  writer: (options) => new ChunkWriter(options),
  collect: (answer, { model }) => collect(answer, model),
};
