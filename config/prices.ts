import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { fileURLToPath } from "node:url";
import { checkValue } from "./check.ts";
import { ConfigDocument, toValue } from "./document/document.ts";
import { parseYaml } from "./document/parse.ts";
import type { Problem } from "./problem.ts";
import { readText } from "./document/read.ts";
import { ModelPattern, strict } from "./schema/value-types.ts";

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

const Entry = Type.Object(
  {
    model: Type.Union([ModelPattern, Type.Array(ModelPattern, { minItems: 1 })], {
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
const PricesSchema = Type.Object(
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

/** A checked file of prices. */
type PricesFile = Static<typeof PricesSchema>;

/** The prices of some models, in USD per million tokens. */
export type PriceEntry = Static<typeof Entry>;

/** Entries of prices, of which the first that matches a model counts. */
export interface Prices {
  readonly entries: readonly VersionedEntry[];
}

/** An entry of prices with the version that the ledger keeps beside each cost. */
export interface VersionedEntry extends PriceEntry {
  /** The versions of all files that were read, the user's own first: `mine+2026-11-24`. */
  readonly version: string;
}

/** The result of loading prices; `prices` can be relied on only when there are no problems. */
export interface LoadedPrices {
  readonly prices: Prices;
  readonly problems: readonly Problem[];
}

/** The path of the file of prices that comes with Modelyard. */
export const SHIPPED_PRICES: string = fileURLToPath(new URL("./prices.yaml", import.meta.url));

/**
 * Reads the shipped prices, and before them those of the user's own `file`, if there is one: what it says of a
 * model counts, and the shipped prices go on for all others. Never throws for a user's mistake: where the file can't
 * be read, that is a mistake of gateway.yaml, the document `named` it.
 */
export async function loadPrices(file?: string, named?: ConfigDocument): Promise<LoadedPrices> {
  const own = file === undefined ? [] : [await readPrices(file, named)];
  // The shipped file is not checked: a test proves that it has no mistakes, and a check takes a third of the start.
  const shipped = Bun.YAML.parse(await Bun.file(SHIPPED_PRICES).text()) as PricesFile;
  const read = [...own, { version: shipped.version ?? "", entries: shipped.prices, problems: [] }];
  const version = read.map((one) => one.version).join("+");
  const entries = read.flatMap((one) => one.entries.map((entry) => ({ ...entry, version })));
  return { prices: { entries }, problems: read.flatMap((one) => one.problems) };
}

interface ReadPrices {
  readonly version: string;
  readonly entries: readonly PriceEntry[];
  readonly problems: readonly Problem[];
}

async function readPrices(file: string, named?: ConfigDocument): Promise<ReadPrices> {
  const read = await readText(file);
  if ("text" in read) return parsePrices(file, read.text);
  const { message, line } = read;
  const hint = "mend `prices` of gateway.yaml, or leave it out for the shipped prices";
  const problem =
    named && line === undefined
      ? named.problem(["prices"], { message: `${file}: ${message}`, hint })
      : new ConfigDocument(file, undefined).problem([], {
          message,
          hint,
          position: { line: line ?? 1, column: 1 },
        });
  return { version: "", entries: [], problems: [problem] };
}

function parsePrices(file: string, text: string): ReadPrices {
  const { document, problems } = parseYaml(file, text);
  if (document.root === undefined && problems.length > 0) return { version: "", entries: [], problems };
  const value = document.root && toValue(document.root);
  const checked = checkValue(PricesSchema, value ?? {}, { document, path: [] });
  const found = [...problems, ...checked.problems];
  if (found.length > 0) return { version: "", entries: [], problems: found };
  const { version = hashOf(text), prices } = checked.value as PricesFile;
  return { version, entries: prices, problems: [] };
}

function hashOf(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 12);
}
