import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { COUNTS } from "../../../counts.ts";
import { Nullable } from "../../../explain.ts";

/**
 * As much of a Responses body as the gateway reads itself; items are checked where they become messages.
 * https://platform.openai.com/docs/api-reference/responses/create
 */
export const ResponsesRequestSchema = Type.Object({
  model: Type.String({
    minLength: 1,
    maxLength: 256,
    description: "One of the ids of GET /v1/models, or upstream/model",
  }),
  input: Nullable(
    Type.Union([Type.String(), Type.Array(Type.Object({}))], {
      description:
        "What the user says, or a list of items: messages, calls of tools and their outputs, reasoning",
    }),
  ),
  instructions: Nullable(Type.String({ description: "A system message; it is no part of what is stored" })),
  previous_response_id: Nullable(
    Type.String({
      description: "Goes on from a stored answer of the same key; see `responses` in gateway.yaml",
    }),
  ),
  tools: Nullable(
    Type.Array(Type.Object({ type: Type.String() }), {
      description: "Functions, custom tools and namespaces of them; others only where the upstream has them",
    }),
  ),
  tool_choice: Nullable(Type.Union([Type.String(), Type.Object({ type: Type.String() })])),
  text: Nullable(
    Type.Object({
      format: Nullable(Type.Object({ type: Type.String() })),
      verbosity: Nullable(Type.String()),
    }),
  ),
  reasoning: Nullable(Type.Object({ effort: Nullable(Type.String()), summary: Nullable(Type.String()) })),
  include: Nullable(
    Type.Array(Type.String(), {
      description: "`reasoning.encrypted_content` and `message.output_text.logprobs`",
    }),
  ),
  max_output_tokens: COUNTS.max_tokens,
  stream: Nullable(Type.Boolean({ description: "Server-sent events instead of one JSON answer" })),
  store: Nullable(
    Type.Boolean({
      description: "Whether the answer is kept for `previous_response_id`; absent means it is",
    }),
  ),
});

/** A body that fits the schema. */
export type ResponsesBody = Static<typeof ResponsesRequestSchema>;
