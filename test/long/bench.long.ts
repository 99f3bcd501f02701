import { expect, test } from "bun:test";
import type { Unit } from "../bench/figure.ts";
import { json, markdown } from "../bench/report.ts";
import { run } from "../bench/run.ts";
import { SCENARIOS } from "../bench/scenarios/index.ts";
import { SMOKE } from "../bench/settings.ts";

/** Over so few requests a process may spend less than a tick of CPU time, and give memory back. */
function isSound(value: number, name: string, unit: Unit): boolean {
  if (unit === "%") return value === 100;
  if (unit === "KiB" || unit === "KiB per 1,000") return Number.isFinite(value);
  return name.startsWith("CPU") ? value >= 0 && value < Infinity : value > 0 && value < Infinity;
}

test(
  "the benchmark measures every scenario, and each of its streams is complete and exact",
  async () => {
    const settings = { sizes: SMOKE, rounds: 1, peers: false, usesTools: false };
    const result = await run(SCENARIOS, settings, () => {});
    expect(result.notes).toEqual([]);
    expect(new Set(result.figures.map(({ scenario }) => scenario)).size).toBe(SCENARIOS.length);
    for (const { scenario, name, rounds, unit } of result.figures) {
      const subject = scenario === "hit" ? rounds["modelyard-hit"] : rounds.modelyard;
      expect(subject, `${scenario}: ${name}`).not.toBeEmpty();
      for (const value of Object.values(rounds).flat()) {
        expect(value, `${scenario}: ${name}`).toSatisfy((it) => isSound(it, name, unit));
      }
    }
    expect(markdown(result)).toContain("| plain | CPU per request [µs] |");
    expect(JSON.parse(json(result))).toHaveProperty("figures.length", result.figures.length);
  },
  { timeout: 60_000 },
);
