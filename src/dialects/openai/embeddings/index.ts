import type { EmbedEndpoint } from "../../dialect.ts";
import { jsonAnswer } from "../../operation-document.ts";
import { EMBEDDINGS_SCHEMA } from "./message.ts";
import { EmbeddingsRequestSchema, parseEmbeddingsRequest } from "./request.ts";

/** OpenAI's embeddings. */
export const embeddings: EmbedEndpoint = {
  kind: "embed",
  path: "/v1/embeddings",
  document: {
    summary: "Turn texts into vectors",
    description:
      "OpenAI's embeddings. The vectors are written as `encoding_format` says, whatever the upstream gives.",
    body: {
      schema: EmbeddingsRequestSchema,
      example: { model: "text-embedding-3-small", input: ["Hello!"] },
    },
    answer: jsonAnswer("One vector for each input, in their order", EMBEDDINGS_SCHEMA),
  },
  parse: parseEmbeddingsRequest,
};
