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
      tokens_per_minute: Type.Optional(limit("Tokens, input and output, within any 60 seconds.")),
      concurrent_requests: Type.Optional(limit("Requests that run at the same time.")),
    },
    { ...strict, default: {}, description },
  );
}

/** The schema of a budget; that it has `usd` or `tokens` is checked in rules.ts. */
const Budget = Type.Object(
  {
    usd: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: "US dollars; requests without a known price cost nothing.",
      }),
    ),
    tokens: Type.Optional(Type.Integer({ minimum: 1, description: "Tokens, input and output." })),
    per: Type.Union([Type.Literal("day"), Type.Literal("week"), Type.Literal("month")], {
      default: "month",
      description: "The calendar period, in UTC; a week begins on Monday.",
    }),
  },
  { ...strict, description: "What the key may spend: `usd`, `tokens` or both." },
);

/** The schema of `key_defaults`. */
export const KeyDefaults = Type.Object(
  {
    limits: Limits("Limits of keys that don't set them, each limit separately."),
    output_estimate: Type.Integer({
      minimum: 1,
      default: 500,
      description: "The tokens reserved for an answer whose request sets no bound, until its usage is known.",
    }),
  },
  { ...strict, default: {}, description: "Defaults of all keys." },
);

/** The schema of an entry of `keys`. */
export const Key = Type.Object(
  {
    name: Type.String({
      pattern: "^\\S(.*\\S)?$",
      title: "a name without white space at its ends",
      description: "The key's name in logs and usage. Each name once.",
    }),
    key: Type.Optional(
      Secret({
        minLength: 0,
        pattern: "^\\s*([!-~]{8,})?\\s*$",
        title: "at least 8 letters, digits and signs without white space",
        description: "The key itself. If it is empty, the whole entry is left out.",
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
          "The key's SHA-256 hash, in place of `key`. If it is empty, the whole entry is left out.",
      }),
    ),
    models: {
      ...patterns(
        "The models that the key may request: names and patterns, in which `*` stands for any characters.",
      ),
      default: ["*"],
    },
    limits: Limits("The key's own limits; those left out are the ones of `key_defaults`."),
    budget: Type.Optional(Budget),
    expires: Type.Optional(
      Moment({
        description: "When the key expires: `2027-01-01` (at 0:00 UTC) or `2027-01-01T12:00:00Z`.",
      }),
    ),
  },
  strict,
);
