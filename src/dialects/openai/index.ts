import type { Dialect } from "../dialect.ts";
import { chat } from "./chat/index.ts";
import { completions } from "./completions/index.ts";
import { embeddings } from "./embeddings/index.ts";
import { ERROR_SCHEMA, errorReply } from "./error.ts";
import { addLimitHeaders } from "./limit-headers.ts";
import { responses } from "./responses/index.ts";
import { act, forget, show } from "./responses/stored.ts";
import { model, models } from "./models.ts";

/** OpenAI's API. */
export const openai: Dialect = {
  name: "OpenAI",
  endpoints: [chat, responses, show, forget, act, completions, embeddings, models, model],
  keyHeaders: ["authorization", "x-api-key", "api-key"],
  forwardedHeaders: [],
  errorSchema: ERROR_SCHEMA,
  error: errorReply,
  addLimitHeaders,
};
