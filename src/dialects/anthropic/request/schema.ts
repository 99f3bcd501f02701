import { Type } from "@sinclair/typebox";
import { Nullable } from "../../explain.ts";

/** The longest model name worth looking up. */
const MAX_MODEL_LENGTH = 256;

const TYPED = Type.Object({ type: Type.String() });
const CONTENT = Type.Union([Type.String(), Type.Array(TYPED)]);

const PROMPT = {
  model: Type.String({
    minLength: 1,
    maxLength: MAX_MODEL_LENGTH,
    description: "One of the ids of GET /v1/models, or upstream/model",
  }),
  messages: Type.Array(
    Type.Object({
      role: Type.String({ minLength: 1, description: "user, assistant or system" }),
      content: CONTENT,
    }),
    { minItems: 1, description: "The conversation so far" },
  ),
  system: Nullable(CONTENT),
  tools: Nullable(Type.Array(Type.Object({ type: Nullable(Type.String()) }))),
  tool_choice: Nullable(TYPED),
  thinking: Nullable(TYPED),
};

/**
 * The checked members of a request; all others are the upstream's to judge.
 * https://platform.claude.com/docs/en/api/messages/create
 */
export const MessagesRequestSchema = Type.Object({
  ...PROMPT,
  max_tokens: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: "The longest answer, in tokens",
  }),
  stop_sequences: Nullable(Type.Array(Type.String())),
  metadata: Nullable(Type.Object({})),
  output_config: Nullable(Type.Object({})),
  stream: Nullable(Type.Boolean({ description: "Server-sent events instead of one JSON answer" })),
});

/** The checked members of a request that asks for the length of a prompt. */
export const CountRequestSchema = Type.Object(PROMPT);
