import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { strict } from "./schema/terms.ts";

function price(description: string) {
  return Type.Optional(Type.Number({ minimum: 0, description: `${description}, USD per million tokens.` }));
}

const RATES = {
  input: price("The prompt"),
  cached_input: price("What of the prompt was read from the upstream's cache; without it like `input`"),
  cache_write: price("What of the prompt was written to that cache; without it like `input`"),
  cache_write_1h: price("The same where it is kept for an hour; without it like `cache_write`"),
  output: price("The answer, reasoning included; without it answers cost nothing, as with embeddings"),
  audio_input: price("Sound in the prompt; without it like `input`"),
  audio_output: price("Sound in the answer; without it like `output`"),
  image_output: price("Images in the answer; without it like `output`"),
};

const Pattern = Type.String({ minLength: 1, title: "a model's name or a pattern such as gpt-4o*" });

const Entry = Type.Object(
  {
    model: Type.Union([Pattern, Type.Array(Pattern, { minItems: 1 })], {
      description: "Names or patterns, as `gpt-4o*` or, for one upstream alone, `groq/llama-*`.",
    }),
    plugin: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Only for upstreams of this plugin, as gateway.yaml names it.",
      }),
    ),
    ...RATES,
    input: Type.Number({ minimum: 0, description: "The prompt, USD per million tokens." }),
    long_prompt: Type.Optional(
      Type.Object(
        {
          above: Type.Integer({
            minimum: 1,
            description: "Prompts of more tokens than this, cached ones included.",
          }),
          ...RATES,
        },
        {
          ...strict,
          description: "What the whole request costs when its prompt is long; the rest stays as above.",
        },
      ),
    ),
  },
  strict,
);

/** The shape of a file of prices. */
export const PricesSchema = Type.Object(
  {
    version: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 40,
        description: "Stands in the ledger beside each cost; without it a hash.",
      }),
    ),
    prices: Type.Array(Entry, { description: "The first entry that fits a model counts." }),
  },
  strict,
);

/** A file of prices as it was checked. */
export type PricesFile = Static<typeof PricesSchema>;

/** The price of some models. All prices are in USD per million tokens. */
export type PriceEntry = Static<typeof Entry>;
