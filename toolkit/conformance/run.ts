import type { UpstreamPlugin } from "../../src/contract/index.ts";
import { ANSWERS } from "./checks/answers.ts";
import { Harness } from "./harness/harness.ts";
import { CANCELLING } from "./checks/cancelling.ts";
import type { Check } from "./checks/check.ts";
import { CREDENTIALS } from "./checks/credentials.ts";
import { ENDS } from "./checks/ends.ts";
import type { Fixtures } from "./upstreams/fixtures.ts";
import { NATIVE } from "./checks/native.ts";
import { LEAKS } from "./checks/leaks.ts";
import { HISTORY } from "./parameters/history.ts";
import { PARAMETERS } from "./parameters/parameters.ts";
import { ERROR_CODES } from "./checks/refusals.ts";
import type { Report, Result } from "./report.ts";
import { RULES } from "./rules/rules.ts";
import type { RuleId } from "./rules/rules.ts";
import { SCENARIOS } from "./upstreams/scenarios.ts";
import { SECRETS } from "./checks/secrets.ts";
import { SURFACE } from "./checks/surface.ts";
import { RuleViolation, describeError, NotApplicable } from "./harness/verdict.ts";

const PATIENCE_MS = 3_000;

const CHECKS = new Map<string, Check>(
  [
    ANSWERS,
    ENDS,
    PARAMETERS,
    HISTORY,
    CANCELLING,
    LEAKS,
    ERROR_CODES,
    CREDENTIALS,
    SECRETS,
    SURFACE,
    NATIVE,
  ].flatMap((checks) => checks.map((check) => [check.rule, check] as const)),
);

export interface TestOptions {
  /** Only one level (`4`) or one rule (`2.3`, or its whole id). Default: all. */
  readonly only?: string;
  /** Time limit of each step that should take no time, in milliseconds. Default 3,000. */
  readonly patience?: number;
}

/** Tests a plugin against the rules, one after the other. Never rejects: failures are in the report. */
export async function testUpstream(
  plugin: UpstreamPlugin,
  fixtures: Fixtures,
  options: TestOptions = {},
): Promise<Report> {
  const results: Result[] = [];
  for (const { id } of RULES.filter((rule) => isSelected(rule.id, options.only))) {
    results.push(await testRule(id, { plugin, fixtures }, options.patience));
  }
  const passed = results.every(({ outcome }) => outcome !== "broken");
  const ms = results.reduce((sum, result) => sum + result.ms, 0);
  return { plugin: plugin.name, passed, results, ms };
}

function isSelected(id: RuleId, only = ""): boolean {
  return only === "" || id === only || id.startsWith(`${only}.`) || id.startsWith(`${only} `);
}

/** Tests a plugin against one rule. */
export async function testRule(
  id: RuleId,
  { plugin, fixtures }: { readonly plugin: UpstreamPlugin; readonly fixtures: Fixtures },
  patience = PATIENCE_MS,
): Promise<Result> {
  const rule = RULES.find((each) => each.id === id);
  const check = CHECKS.get(id);
  if (!rule || !check) throw new Error(`there is no rule "${id}"`);
  const reason = reasonToSkip(check, fixtures);
  if (reason !== undefined) return { rule, outcome: "skipped", detail: reason, ms: 0 };
  const begun = performance.now();
  const { outcome, detail } = await outcomeOf(check, new Harness(plugin, fixtures, patience));
  return { rule, outcome, detail, ms: Math.round(performance.now() - begun) };
}

/** Returns the reason for which the fixtures exclude a rule, if they do. */
export function reasonToSkip({ rule, scenarios }: Check, { unsupported = {} }: Fixtures): string | undefined {
  const [number = ""] = rule.split(" ");
  const scenario = scenarios.find((name) => unsupported[name] !== undefined);
  return unsupported[rule] ?? unsupported[number] ?? (scenario && unsupported[scenario]);
}

async function outcomeOf(check: Check, harness: Harness): Promise<Pick<Result, "outcome" | "detail">> {
  try {
    const remark = await check.run(harness);
    return { outcome: "kept", detail: remark === "" ? undefined : (remark ?? undefined) };
  } catch (error) {
    if (error instanceof NotApplicable) return { outcome: "skipped", detail: error.message };
    if (error instanceof RuleViolation) return { outcome: "broken", detail: error.message };
    return {
      outcome: "broken",
      detail: `the fixtures, or the kit itself, failed with ${describeError(error)}`,
    };
  }
}

/** Returns the names in `unsupported` that are neither a scenario nor a rule. */
export function unknownNames({ unsupported = {} }: Fixtures): readonly string[] {
  const numbers = RULES.flatMap(({ id }) => [id, id.split(" ")[0] ?? id]);
  return Object.keys(unsupported).filter(
    (name) => !Object.hasOwn(SCENARIOS, name) && !numbers.includes(name),
  );
}
