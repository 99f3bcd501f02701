import { expect, test } from "bun:test";
import { json, markdown } from "./report.ts";
import { run } from "./run.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { SMOKE } from "./settings.ts";

test(
  "the benchmark measures every scenario, and each of its streams is complete and exact",
  async () => {
    const settings = { sizes: SMOKE, rounds: 1, peers: false, usesTools: false };
    const result = await run(SCENARIOS, settings, () => {});
    expect(result.notes).toEqual([]);
    expect(new Set(result.figures.map(({ scenario }) => scenario)).size).toBe(SCENARIOS.length);
    for (const { scenario, name, rounds, unit } of result.figures) {
      // Over so few requests a process may spend less than a tick of CPU time, and give memory back.
      const least = name.startsWith("CPU") || name.startsWith("RSS slope") || unit === "KiB" ? -Infinity : 0;
      for (const values of Object.values(rounds)) {
        for (const value of values) {
          expect(value, `${scenario}: ${name}`).toBeGreaterThanOrEqual(least);
          expect(Number.isFinite(value), `${scenario}: ${name}`).toBe(true);
          if (unit === "%") expect(value).toBe(100);
        }
      }
      expect(rounds.modelyard, `${scenario}: ${name}`).not.toBeEmpty();
    }
    expect(markdown(result)).toContain("| plain | CPU per request [µs] |");
    expect(JSON.parse(json(result))).toHaveProperty("figures.length", result.figures.length);
  },
  { timeout: 60_000 },
);
