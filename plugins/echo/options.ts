import { Duration, FAILURES, Type } from "modelyard/plugin";
import type { Static, UpstreamErrorCode } from "modelyard/plugin";

const STRICT = { additionalProperties: false };

const codes = Object.keys(FAILURES) as UpstreamErrorCode[];

const tokens = (what: string) =>
  Type.Optional(Type.Integer({ minimum: 0, description: `How many tokens ${what}.` }));

const fields = (description: string) => Type.Record(Type.String(), Type.Unknown(), { description });

const toolCall = Type.Object(
  {
    id: Type.Optional(
      Type.String({ minLength: 1, description: "The call's id; made by the gateway if absent." }),
    ),
    name: Type.String({ minLength: 1, description: "The function to be called." }),
    arguments: Type.Union([Type.String(), fields("The arguments, written as YAML.")], {
      default: "{}",
      description: "The arguments, as JSON text or as a map.",
    }),
  },
  STRICT,
);

const extra = Type.Object(
  {
    at: Type.Union([Type.Literal("delta"), Type.Literal("choice"), Type.Literal("chunk")], {
      default: "delta",
      description:
        "Where the fields stand: beside the text, beside the finish reason, or at the top of a chunk.",
    }),
    fields: fields("The fields, as a client shall see them."),
  },
  STRICT,
);

const usage = Type.Object(
  {
    input: tokens("the request has"),
    cached_input: tokens("of the request came from a prompt cache"),
    cache_write: tokens("of the request were written to a prompt cache"),
    output: tokens("the answer has"),
    reasoning: tokens("of the answer are reasoning"),
  },
  STRICT,
);

const error = Type.Object(
  {
    code: Type.Union(
      codes.map((code) => Type.Literal(code)),
      { description: "One of the failures that a plugin can throw." },
    ),
    message: Type.String({ default: "as the script says", description: "What the upstream says about it." }),
    retry_after: Type.Optional(Duration({ description: "When the upstream may be asked again." })),
  },
  STRICT,
);

const step = Type.Object(
  {
    text: Type.Optional(Type.String({ minLength: 1, description: "A piece of the answer, sent as it is." })),
    reasoning: Type.Optional(Type.String({ minLength: 1, description: "A piece of reasoning." })),
    tool_call: Type.Optional({ ...toolCall, description: "A whole tool call." }),
    extra: Type.Optional({ ...extra, description: "Fields that have no step of their own." }),
    delay: Type.Optional(Duration({ description: "Waits before the next step." })),
    usage: Type.Optional({ ...usage, description: "Token counts, in place of those that are counted." }),
    finish: Type.Optional(
      Type.Union(
        [
          Type.Literal("stop"),
          Type.Literal("length"),
          Type.Literal("tool_calls"),
          Type.Literal("content_filter"),
        ],
        {
          description:
            "Ends every choice. Only `usage`, `delay`, `error`, `cut` and `hang` make sense after it.",
        },
      ),
    ),
    error: Type.Optional({ ...error, description: "Fails, before the answer or in the middle of it." }),
    cut: Type.Optional(Type.Literal(true, { description: "Breaks off without a finish." })),
    hang: Type.Optional(
      Type.Literal(true, { description: "Says nothing more until the request is given up." }),
    ),
  },
  { ...STRICT, minProperties: 1, maxProperties: 1 },
);

const rule = Type.Object(
  {
    match: Type.String({
      minLength: 1,
      default: "*",
      description: 'A text that the last user message contains; "*" stands for any message.',
    }),
    model: Type.Optional(
      Type.String({ minLength: 1, description: "The model that is asked for; any if absent." }),
    ),
    steps: Type.Array(step, {
      description: "What the answer does, step by step. After the last one it finishes by itself.",
    }),
  },
  STRICT,
);

/** This plugin's options in gateway.yaml. */
export const options = Type.Object(
  {
    models: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      uniqueItems: true,
      default: ["echo"],
      description: "The model names it answers to. All behave alike, unless the script tells them apart.",
    }),
    script: Type.Array(rule, {
      default: [],
      description: "Answers to be given in place of the echo. The first rule that matches a request counts.",
    }),
  },
  STRICT,
);

export type Options = Static<typeof options>;
export type Rule = Options["script"][number];
export type Step = Rule["steps"][number];
