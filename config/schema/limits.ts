import { Type } from "@sinclair/typebox";
import type { TInteger } from "@sinclair/typebox";
import { strict } from "./terms.ts";

function limit(description: string): TInteger {
  return Type.Integer({ minimum: 1, description });
}

/** How much may be asked at once and within a time; what is left out is not limited. */
export function Limits(description: string) {
  return Type.Object(
    {
      requests_per_minute: Type.Optional(limit("Requests within any 60 seconds.")),
      requests_per_day: Type.Optional(limit("Requests within any 24 hours.")),
      tokens_per_minute: Type.Optional(limit("Tokens, of questions and answers, within any 60 seconds.")),
      concurrent_requests: Type.Optional(limit("Requests under way at one time.")),
    },
    { ...strict, default: {}, description },
  );
}

/** What a key may spend; that it has one of `usd` and `tokens` is checked by the rules. */
export const Budget = Type.Object(
  {
    usd: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: "US dollars, of the requests whose price is known." }),
    ),
    tokens: Type.Optional(Type.Integer({ minimum: 1, description: "Tokens, of questions and answers." })),
    per: Type.Union([Type.Literal("day"), Type.Literal("week"), Type.Literal("month")], {
      default: "month",
      description: "The calendar's, in UTC; a week begins on Monday.",
    }),
  },
  { ...strict, description: "What the key may spend: `usd`, `tokens` or both." },
);

/** What holds for keys that don't say otherwise. */
export const KeyDefaults = Type.Object(
  {
    limits: Limits("Limits of every key that doesn't set them itself, each limit for itself."),
    output_estimate: Type.Integer({
      minimum: 1,
      default: 500,
      description:
        "The tokens that are held ready for an answer whose request doesn't bound it, until its usage is known.",
    }),
  },
  { ...strict, default: {}, description: "What holds for keys that don't say otherwise." },
);
