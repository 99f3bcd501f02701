import { describe, test } from "bun:test";
import type { UpstreamPlugin } from "../../src/contract/index.ts";
import type { Fixtures } from "./upstreams/fixtures.ts";
import { messageOf } from "./report.ts";
import { LEVELS, RULES } from "./rules/rules.ts";
import type { Level } from "./rules/rules.ts";
import { testRule, unknownNames } from "./run.ts";

// A broken rule may run into several of the kit's time limits.
const TIMEOUT_MS = 60_000;

/**
 * Registers the kit's rules as tests of `bun test`, level by level. A rule that doesn't apply is printed with its
 * reason. Throws when `unsupported` names something that isn't there.
 */
export function describeUpstream(plugin: UpstreamPlugin, fixtures: Fixtures): void {
  const [stray] = unknownNames(fixtures);
  if (stray !== undefined)
    throw new Error(`\`unsupported\` names "${stray}", which is no scenario and no rule`);
  describe(`${plugin.name} conforms`, () => {
    for (const level of Object.keys(LEVELS).map(Number) as Level[]) {
      describe(`level ${level}, ${LEVELS[level]}`, () => {
        for (const { id, title } of RULES.filter((rule) => rule.level === level)) {
          const run = async () => {
            const result = await testRule(id, { plugin, fixtures });
            if (result.outcome === "broken") throw new Error(messageOf(result));
            if (result.outcome === "skipped")
              process.stdout.write(`– ${id} doesn't apply: ${result.detail}\n`);
          };
          test(`${id}: ${title}`, run, TIMEOUT_MS);
        }
      });
    }
  });
}
