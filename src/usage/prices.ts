import { matchesPattern } from "../../config/pattern.ts";
import type { PriceEntry, Prices, VersionedEntry } from "../../config/prices.ts";
import type { Json, JsonObject, Usage } from "../contract/index.ts";
import { isObject } from "../contract/json.ts";

/** A target as prices know it: the upstream's name in gateway.yaml, its plugin, and its name for the model. */
export interface PricedTarget {
  readonly upstream: string;
  readonly plugin: string;
  readonly model: string;
}

/** The cost of an answer. */
export interface Cost {
  /** USD; null if the price, or a count that it depends on, is unknown. */
  readonly usd: number | null;
  /** The price list that it was computed from; undefined without a known price. */
  readonly version: string | undefined;
}

/** Bound of cached targets: clients can make up any number of models. */
const MAX_REMEMBERED = 2_000;
const UNKNOWN: Cost = { usd: null, version: undefined };
const MILLION = 1e6;

/** Finds prices and computes costs. */
export class PriceBook {
  readonly #entries: readonly VersionedEntry[];
  /** By upstream, then by model; null: no known price. */
  readonly #cache = new Map<string, Map<string, VersionedEntry | null>>();
  #remembered = 0;

  constructor({ entries }: Prices) {
    this.#entries = entries;
  }

  /** Returns the cost of an answer. Parts that exceed their whole count as the whole. */
  costOf(target: PricedTarget, usage: Usage): Cost {
    const entry = this.#entry(target);
    if (!entry) return UNKNOWN;
    return { usd: costAt(entry, usage), version: entry.version };
  }

  #entry(target: PricedTarget): VersionedEntry | null {
    const known = this.#cache.get(target.upstream)?.get(target.model);
    if (known !== undefined) return known;
    const entry = this.#search(target) ?? null;
    this.#remember(target, entry);
    return entry;
  }

  #remember({ upstream, model }: PricedTarget, entry: VersionedEntry | null): void {
    if (this.#remembered >= MAX_REMEMBERED) {
      this.#cache.clear();
      this.#remembered = 0;
    }
    this.#remembered += 1;
    const ofUpstream = this.#cache.get(upstream);
    if (ofUpstream) ofUpstream.set(model, entry);
    else this.#cache.set(upstream, new Map([[model, entry]]));
  }

  /** Entries for `upstream/model` take precedence over entries for the model. */
  #search({ upstream, plugin, model }: PricedTarget): VersionedEntry | undefined {
    const name = `${upstream}/${model}`;
    const candidates = this.#entries.filter((entry) => entry.plugin === undefined || entry.plugin === plugin);
    const addressed = candidates.find((entry) =>
      patternsOf(entry).some((pattern) => pattern.includes("/") && matchesPattern(pattern, name)),
    );
    return addressed ?? candidates.find((entry) => fits(entry, model));
  }
}

function fits(entry: PriceEntry, model: string): boolean {
  return patternsOf(entry).some((pattern) => matchesPattern(pattern, model));
}

function patternsOf({ model }: PriceEntry): readonly string[] {
  return typeof model === "string" ? [model] : model;
}

/** Returns the cost in USD; null if a priced count is missing. */
function costAt(entry: PriceEntry, usage: Usage): number | null {
  const { input, output } = usage;
  if (input === undefined) return null;
  const { long_prompt: long } = entry;
  const rates = long && input > long.above ? { ...entry, ...long } : entry;
  if (output === undefined && rates.output !== undefined) return null;
  return (promptCost(rates, input, usage) + answerCost(rates, output ?? 0, usage)) / MILLION;
}

function promptCost(rates: PriceEntry, input: number, { cachedInput, cacheWrite, raw }: Usage): number {
  const cached = atMost(cachedInput, input);
  const written = atMost(cacheWrite, input - cached);
  const oneHour = atMost(numberOf(objectOf(raw?.["cache_creation"])?.["ephemeral_1h_input_tokens"]), written);
  const audio = atMost(tokensIn(raw, "prompt", "audio"), input - cached - written);
  const writing = rates.cache_write ?? rates.input;
  return (
    (input - cached - written - audio) * rates.input +
    cached * (rates.cached_input ?? rates.input) +
    (written - oneHour) * writing +
    oneHour * (rates.cache_write_1h ?? writing) +
    audio * (rates.audio_input ?? rates.input)
  );
}

function answerCost(rates: PriceEntry, output: number, { raw }: Usage): number {
  const price = rates.output ?? 0;
  const audio = atMost(tokensIn(raw, "completion", "audio"), output);
  const images = atMost(tokensIn(raw, "completion", "image"), output - audio);
  return (
    (output - audio - images) * price +
    audio * (rates.audio_output ?? price) +
    images * (rates.image_output ?? price)
  );
}

function atMost(part: number | undefined, whole: number): number {
  // NaN fails the comparison, too.
  return part !== undefined && part > 0 ? Math.min(part, whole) : 0;
}

/** Counts the tokens of a usage object that aren't text: OpenAI has them in a field, Gemini in a list by modality. */
function tokensIn(
  raw: JsonObject | undefined,
  side: "prompt" | "completion",
  modality: "audio" | "image",
): number {
  const named = numberOf(objectOf(raw?.[`${side}_tokens_details`])?.[`${modality}_tokens`]);
  const listed = raw?.[side === "prompt" ? "promptTokensDetails" : "candidatesTokensDetails"];
  if (named !== undefined || !Array.isArray(listed)) return named ?? 0;
  const part = listed.map(objectOf).find((each) => each?.["modality"] === modality.toUpperCase());
  return numberOf(part?.["tokenCount"]) ?? 0;
}

function numberOf(value: Json | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function objectOf(value: Json | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}
