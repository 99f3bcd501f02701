import type { Harness } from "../harness/harness.ts";
import type { RuleId } from "../rules/rules.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";

/** How one rule is tested. */
export interface Check {
  readonly rule: RuleId;
  /** The scenarios it needs: where the upstream can't play one of them, the rule doesn't apply. */
  readonly scenarios: readonly ScenarioName[];
  /** Throws RuleViolation, or NotApplicable. What it gives back is a remark for the report. */
  run(harness: Harness): Promise<string | void>;
}
