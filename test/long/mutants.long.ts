import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeUpstream, messageOf, RULES, testUpstream } from "modelyard/conformance";
import type { Fixtures } from "modelyard/conformance";
import type { UpstreamPlugin } from "modelyard/plugin";
import { provideSpecifiers } from "../../src/host/specifiers.ts";
import { CALLS } from "../conformance/call-mutants.ts";
import { DIGITS } from "../conformance/digit-mutants.ts";
import lineFixtures from "../conformance/line-fixtures.ts";
import { JOBS } from "../conformance/job-mutants.ts";
import { jobFixtures } from "../conformance/job-fixtures.ts";
import line from "../conformance/line.ts";
import { LINE, REJECTING } from "../conformance/line-mutants.ts";
import { WIRE } from "../conformance/mutants.ts";
import type { Mutant } from "../conformance/mutants.ts";
import { REFUSALS } from "../conformance/refusal-mutants.ts";
import spokenFixtures from "../conformance/spoken-fixtures.ts";
import { SPOKEN } from "../conformance/spoken-mutants.ts";
import spoken from "../conformance/spoken.ts";
import wholeFixtures from "../conformance/whole-fixtures.ts";
import { WHOLE } from "../conformance/whole-mutants.ts";
import whole from "../conformance/whole.ts";
import wireFixtures from "../conformance/wire-fixtures.ts";
import wire from "../conformance/wire.ts";

/** Where the plugins stand that are spoilt. */
const HERE = join(import.meta.dir, "../conformance");

/** What hangs needs not be waited for long: it is known to hang. */
const PATIENCE_MS = 700;

const ALL = [...WIRE, ...DIGITS, ...CALLS, ...REFUSALS, ...LINE, ...WHOLE, ...JOBS, ...SPOKEN, REJECTING];

const folder = mkdtempSync(join(tmpdir(), "mutants-"));
const caught: string[] = [];
provideSpecifiers();

afterAll(() => {
  rmSync(folder, { recursive: true });
  process.stdout.write(`mutation score: ${caught.length} of ${ALL.length}\n`);
});

// The good ones keep every rule.
describeUpstream(wire, wireFixtures);
describeUpstream(line, lineFixtures);
describeUpstream(whole, wholeFixtures);
describeUpstream(spoken, spokenFixtures);

describe.each([
  ["wire", [...WIRE, ...DIGITS, ...CALLS, ...REFUSALS], wireFixtures],
  ["line", LINE, lineFixtures],
  ["whole", WHOLE, wholeFixtures],
  ["jobs", JOBS, jobFixtures],
  ["spoken", SPOKEN, spokenFixtures],
] as const)("a fault in the plugin %s is found by the rule meant for it:", (name, mutants, fixtures) => {
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))("%s", async (_, mutant) => {
    await expectCaught(name, mutant, fixtures);
    caught.push(mutant.name);
  });
});

test("a rejection that is left to nobody is found by the command", async () => {
  const fixtures = join(HERE, "line-fixtures.ts");
  const command = [process.execPath, join(HERE, "judge.ts"), written("line", REJECTING)];
  const judge = Bun.spawn([...command, "--fixtures", fixtures, "--only", "4.13"], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = await new Response(judge.stdout).text();
  expect(said).toContain("✗ 4.13 rejections");
  expect(said).toContain(REJECTING.says);
  expect(await judge.exited).toBe(1);
  caught.push(REJECTING.name);
});

test("every rule has a mutant, or is one of those that another rule implies", () => {
  const met = new Set(ALL.map(({ rule }) => rule));
  // These three break only together with 4.1 or 4.6.
  const implied = ["4.2 begun", "4.4 paused"];
  expect(RULES.filter(({ id }) => !met.has(id)).map(({ id }) => id)).toEqual(implied as never);
});

/** Writes the mutant's file, far from the gateway's own. */
function written(name: string, mutant: Mutant): string {
  const text = mutant.edits.reduce(edited, readFileSync(join(HERE, `${name}.ts`), "utf8"));
  const file = join(folder, `${name}-${mutant.name.replaceAll(/\W+/g, "-")}.ts`);
  writeFileSync(file, text);
  return file;
}

async function expectCaught(name: string, mutant: Mutant, fixtures: Fixtures): Promise<void> {
  const { default: plugin } = (await import(written(name, mutant))) as { default: UpstreamPlugin };
  const { results } = await testUpstream(plugin, fixtures, { only: mutant.rule, patience: PATIENCE_MS });
  const [result] = results;
  expect(result?.outcome).toBe("broken");
  const message = messageOf(result!);
  expect(message).toContain(mutant.rule);
  expect(message).toContain(mutant.says);
  expect(message).toContain(result!.rule.why);
  expect(message).toContain("docs/plugins.md#");
}

function edited(text: string, [from, to]: readonly [string, string]): string {
  expect(text.split(from).length - 1).toBe(1);
  return text.replace(from, () => to);
}
