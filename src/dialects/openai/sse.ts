import { generatedAnswer } from "../operation-document.ts";

/** A comment line: clients skip it, and no proxy takes the stream for dead. */
export const COMMENT_FRAME = ": keep-alive\n\n";

/** The end of a finished stream. */
export const DONE_FRAME = "data: [DONE]\n\n";

export const GENERATED_ANSWER = generatedAnswer(
  "The answer: one JSON object, or with `stream: true` server-sent events that end with `data: [DONE]`, or with an error object where the answer broke off.",
);
