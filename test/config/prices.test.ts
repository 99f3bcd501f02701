import { describe, expect, test } from "bun:test";
import { loadPrices, SHIPPED_PRICES } from "../../config/prices.ts";
import type { Usage } from "../../src/contract/index.ts";
import { PriceBook } from "../../src/usage/prices.ts";

const { prices } = await loadPrices();
const book = new PriceBook(prices);
const VERSION = "2026-11-24";

/** plugin (also the upstream's name), model, usage, USD worked out by hand. */
const GOLDEN: readonly (readonly [string, string, Usage, number])[] = [
  // 1000 · 2.5 + 100 · 10 = 3500
  ["openai", "gpt-4o-2024-08-06", { input: 1000, output: 100 }, 0.0035],
  // (1000 - 600) · 2.5 + 600 · 1.25 + 100 · 10 = 1000 + 750 + 1000 = 2750
  ["openai", "gpt-4o", { input: 1000, cachedInput: 600, output: 100 }, 0.00275],
  // Reasoning is within the output: 50 · 1.25 + 900 · 10 = 9062.5
  ["openai", "gpt-5", { input: 50, output: 900, reasoning: 850 }, 0.0090625],
  // An image is part of the prompt: (765 + 12) · 0.15 + 10 · 0.6 = 116.55 + 6 = 122.55
  ["openai", "gpt-4o-mini", { input: 777, output: 10 }, 0.00012255],
  // 272000 · 2 + 10 · 10 = 544100
  ["openai", "gpt-6-sol", { input: 272_000, output: 10 }, 0.5441],
  // Above 272000: 272001 · 4 + 10 · 15 = 1088004 + 150 = 1088154
  ["openai", "gpt-6-sol", { input: 272_001, output: 10 }, 1.088154],
  // Writing to the cache costs 1.25 times the input: (1000 - 400) · 4 + 400 · 5 + 10 · 20 = 2400 + 2000 + 200 = 4600
  ["openai", "gpt-5.6-sol", { input: 1000, cacheWrite: 400, output: 10 }, 0.0046],
  // Embeddings have no answer: 8 · 0.02 = 0.16
  ["openai", "text-embedding-3-small", { input: 8 }, 0.000_000_16],
  // (10000 - 8000 - 1000) · 3 + 8000 · 0.3 + 1000 · 3.75 + 200 · 15 = 3000 + 2400 + 3750 + 3000 = 12150
  [
    "anthropic",
    "claude-sonnet-4-5-20250929",
    { input: 10_000, cachedInput: 8000, cacheWrite: 1000, output: 200 },
    0.01215,
  ],
  // 400 of the 1000 for an hour: 600 · 3.75 + 400 · 6 = 2250 + 2400 = 4650
  [
    "anthropic",
    "claude-sonnet-4-5",
    {
      input: 1000,
      cacheWrite: 1000,
      output: 0,
      raw: { cache_creation: { ephemeral_5m_input_tokens: 600, ephemeral_1h_input_tokens: 400 } },
    },
    0.00465,
  ],
  // Above 100000: 100001 · 0.5 + 100 · 2.5 = 50000.5 + 250 = 50250.5
  ["anthropic", "claude-haiku-5-5", { input: 100_001, output: 100 }, 0.0502505],
  // (200001 - 100000) · 2.5 + 100000 · 0.25 + 1000 · 15 = 250002.5 + 25000 + 15000 = 290002.5
  ["gemini", "gemini-2.5-pro", { input: 200_001, cachedInput: 100_000, output: 1000 }, 0.2900025],
  // 320 of sound: 680 · 0.3 + 320 · 1 + 10 · 2.5 = 204 + 320 + 25 = 549
  [
    "gemini",
    "gemini-2.5-flash",
    { input: 1000, output: 10, raw: { promptTokensDetails: [{ modality: "AUDIO", tokenCount: 320 }] } },
    0.000549,
  ],
  // 100 · 0.15 + 100 · 0.6 = 75
  ["groq", "openai/gpt-oss-120b", { input: 100, output: 100 }, 0.000075],
  // It costs nothing, which is known: 0, not null.
  ["echo", "gpt-4o", { input: 1000, output: 100 }, 0],
];

describe("the shipped prices", () => {
  test("have no mistakes, and are read as a user's own would be", async () => {
    const checked = await loadPrices(SHIPPED_PRICES);
    expect(checked.problems).toEqual([]);
    const own = checked.prices.entries.slice(0, prices.entries.length);
    expect(own).toEqual(prices.entries.map((entry) => ({ ...entry, version: `${VERSION}+${VERSION}` })));
  });

  test.each(GOLDEN)("%s %s %j cost what its page says", (upstream, model, usage, usd) => {
    const plugin = upstream === "groq" ? "openai" : upstream;
    const cost = book.costOf({ upstream, plugin, model }, usage);
    expect(cost.version).toBe(VERSION);
    expect(cost.usd).toBeCloseTo(usd, 12);
  });
});

describe("a cost is not known", () => {
  const gpt4o = { upstream: "main", plugin: "openai", model: "gpt-4o" };

  test("of a model that no entry fits, or that another plugin offers", () => {
    const unknown = { usd: null, version: undefined };
    expect(book.costOf({ ...gpt4o, model: "llama" }, { input: 1, output: 1 })).toEqual(unknown);
    expect(
      book.costOf({ upstream: "free", plugin: "other", model: "gpt-4o" }, { input: 1, output: 1 }),
    ).toEqual(unknown);
  });

  test("where a count is missing", () => {
    expect(book.costOf(gpt4o, { input: 1 }).usd).toBeNull();
    expect(book.costOf(gpt4o, { output: 1 }).usd).toBeNull();
  });
});

test("a part that exceeds its whole is taken as the whole", () => {
  const target = { upstream: "main", plugin: "openai", model: "gpt-4o" };
  // 100 · 1.25 = 125
  expect(book.costOf(target, { input: 100, cachedInput: 500, output: 0 }).usd).toBeCloseTo(0.000125, 12);
});

test("what is said of an upstream goes before what is said of a model, and both go by the order of the file", () => {
  const entries = [
    { model: "m*", input: 1, version: "v" },
    { model: "m1", input: 2, version: "v" },
    { model: "here/m*", input: 3, version: "v" },
  ];
  const own = new PriceBook({ entries });
  const million = { input: 1e6, output: 0 };
  expect(own.costOf({ upstream: "there", plugin: "p", model: "m1" }, million).usd).toBe(1);
  expect(own.costOf({ upstream: "here", plugin: "p", model: "m1" }, million).usd).toBe(3);
});
