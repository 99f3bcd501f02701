import { Type } from "@sinclair/typebox";
import type { TInteger } from "@sinclair/typebox";
import { Secret } from "../../src/contract/options.ts";
import { Moment, patterns, strict } from "./value-types.ts";

function limit(description: string): TInteger {
  return Type.Integer({ minimum: 1, description });
}

/** Makes the schema of rate limits, of which each may be left out. */
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

/** The schema of a budget; that it has `usd` or `tokens` is checked in rules.ts. */
const Budget = Type.Object(
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

/** The schema of `key_defaults`. */
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

/** The schema of an entry of `keys`. */
export const Key = Type.Object(
  {
    name: Type.String({
      pattern: "^\\S(.*\\S)?$",
      title: "a name without white space at its ends",
      description: "Who uses the key, for logs and usage. Each name once.",
    }),
    key: Type.Optional(
      Secret({
        minLength: 0,
        pattern: "^\\s*([!-~]{8,})?\\s*$",
        title: "at least 8 letters, digits and signs without white space",
        description: "The key itself. When it is empty the whole entry is left out.",
      }),
    ),
    // A secret because people take it for `key`, and what they wrote would stand in a report.
    key_sha256: Type.Optional(
      Secret({
        sentAs: "text",
        minLength: 0,
        pattern: "^([0-9a-fA-F]{64})?$",
        title: "a SHA-256 hash of 64 hexadecimal digits",
        description:
          "The key's SHA-256 hash, in place of `key`. When it is empty the whole entry is left out.",
      }),
    ),
    models: {
      ...patterns("What the key may ask for: names and patterns, in which `*` stands for any characters."),
      default: ["*"],
    },
    limits: Limits("The key's own limits; those left out are the ones of `key_defaults`."),
    budget: Type.Optional(Budget),
    expires: Type.Optional(
      Moment({
        description:
          "Until when the key is good: `2027-01-01` (from 0:00 UTC no more) or `2027-01-01T12:00:00Z`.",
      }),
    ),
  },
  strict,
);
