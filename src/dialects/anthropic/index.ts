import type { Dialect } from "../dialect.ts";
import { countTokens } from "./count-tokens.ts";
import { ERROR_SCHEMA, errorReply } from "./error.ts";
import { addLimitHeaders, LIMIT_HEADERS } from "./limit-headers.ts";
import { messages } from "./messages.ts";
import { model, models } from "./models.ts";

/** Anthropic's API. */
export const anthropic: Dialect = {
  name: "Anthropic",
  endpoints: [messages, countTokens, models, model],
  marker: "anthropic-version",
  keyHeaders: ["x-api-key", "authorization"],
  forwardedHeaders: ["anthropic-version", "anthropic-beta"],
  requestIdHeader: "request-id",
  exposedHeaders: ["request-id", ...LIMIT_HEADERS].join(", "),
  errorSchema: ERROR_SCHEMA,
  error: errorReply,
  addLimitHeaders,
};
