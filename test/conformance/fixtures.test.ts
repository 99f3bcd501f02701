import { expect, test } from "bun:test";
import { testUpstream } from "modelyard/conformance";
import type { Fixtures } from "modelyard/conformance";
import { jobFixtures } from "./job-fixtures.ts";
import jobs from "./jobs.ts";
import wireFixtures from "./wire-fixtures.ts";
import wire from "./wire.ts";

/**
 * Fixtures that play a scenario loosely must not make a rule pass.
 * @module
 */

/** The upstream of the plugin `wire`, as fixtures that count bytes wrongly show it. */
function counting(sent: number): Fixtures {
  return {
    ...wireFixtures,
    async upstream(scenario) {
      const played = await wireFixtures.upstream(scenario);
      return Object.defineProperty(played, "sent", { get: () => sent });
    },
  };
}

test("a count of what was sent that is less than what has come is no proof that it was held back", async () => {
  const { results } = await testUpstream(wire, counting(0), { only: "2.9" });
  expect(results[0]?.outcome).toBe("broken");
  expect(results[0]?.detail).toStartWith("the fixtures count 0 bytes as `sent`, and ");
});

test.each(["2.14 filtered", "2.15 oversized", "5.8 spent"])(
  "%s doesn't apply where the fixtures know the scenario not, and answer",
  async (only) => {
    const { results } = await testUpstream(jobs, jobFixtures, { only });
    expect(results[0]?.outcome).toBe("skipped");
    expect(results[0]?.detail).toContain("sends the complete answer, as `text` does");
  },
);

test("6.9 doesn't apply where the list of models is the same in every scenario", async () => {
  const { results } = await testUpstream(jobs, jobFixtures, { only: "6.9" });
  expect(results[0]?.outcome).toBe("skipped");
});
