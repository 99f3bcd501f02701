import type { Json } from "../../contract/index.ts";
import { isNumber } from "../../contract/index.ts";
import { isObject } from "../../contract/json.ts";

/** Token budgets for thinking below which an effort is low, and below which it is medium. */
const LOW_BUDGET = 4_096;
const MEDIUM_BUDGET = 16_384;

/** Returns OpenAI's `reasoning_effort` for Anthropic's `thinking` and `output_config`; undefined for the model's own. */
export function effortOf(thinking: Json | undefined, config: Json | undefined): string | undefined {
  const type = isObject(thinking) ? thinking["type"] : undefined;
  if (type === "disabled") return "none";
  const effort = isObject(config) ? config["effort"] : undefined;
  // OpenAI's highest level has another name.
  if (typeof effort === "string") return effort === "max" ? "xhigh" : effort;
  const budget = isObject(thinking) ? thinking["budget_tokens"] : undefined;
  if (type !== "enabled" || !isNumber(budget)) return undefined;
  const tokens = Number(budget);
  if (tokens < LOW_BUDGET) return "low";
  return tokens < MEDIUM_BUDGET ? "medium" : "high";
}
