import { Type } from "@sinclair/typebox";
import { Nullable } from "./explain.ts";

/** How many answers one request may ask for. */
const MAX_CHOICES = 128;

/** `-1` is how clients of local servers say that an answer may be of any length. */
const TOKENS = { minimum: -1, maximum: Number.MAX_SAFE_INTEGER };

const CHOICES = { minimum: 1, maximum: MAX_CHOICES };

/** The numbers of a request that are added to limits and budgets; no other number of a client may be. */
export const COUNTS = {
  n: Nullable(Type.Integer({ ...CHOICES, description: "How many answers" })),
  best_of: Nullable(Type.Integer({ ...CHOICES, description: "How many answers the best are chosen from" })),
  max_tokens: Nullable(Type.Integer({ ...TOKENS, description: "The longest answer, in tokens" })),
  max_completion_tokens: Nullable(
    Type.Integer({ ...TOKENS, description: "The same, as newer models call it" }),
  ),
};
