import type { Harness } from "../harness/harness.ts";
import type { RuleId } from "../rules/rules.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";

/** The test of one rule. */
export interface Check {
  readonly rule: RuleId;
  /** The required scenarios. The rule doesn't apply to an upstream that can't play one of them. */
  readonly scenarios: readonly ScenarioName[];
  /** Throws RuleViolation or NotApplicable. Resolves with an optional remark for the report. */
  run(harness: Harness): Promise<string | void>;
}
