import { asObject, isAbsent } from "modelyard/kit";
import type { Call, ChatRequest, Json } from "modelyard/plugin";
import { unsupported } from "./errors.ts";
import { EFFORTS } from "../traits.ts";
import type { Effort, Traits } from "../traits.ts";

/** The thinking parameters of a request. */
export interface Thinking {
  readonly thinking?: Json;
  readonly effort?: Effort;
  /** Whether the model will think, as far as known; it then rejects sampling parameters. */
  readonly isOn: boolean;
}

/** The input of `planThinking`. */
export interface ThinkingInput {
  readonly request: ChatRequest;
  readonly traits: Traits;
  readonly maxTokens: number;
  /** Whether a tool call is forced, which older models don't allow together with thinking. */
  readonly isForced: boolean;
  /** Whether the last turn called tools and lacks its thinking blocks; older models then can't continue to think. */
  readonly lacksThinking: boolean;
  readonly call: Pick<Call, "ignored">;
}

/** Anthropic's levels by OpenAI's efforts, without `none`. */
const LEVELS: ReadonlyMap<string, Effort> = new Map([
  ["minimal", "low"],
  ...EFFORTS.map((level) => [level, level]),
] as [string, Effort][]);

/** Thinking budgets by level, in tokens. */
const BUDGETS: Readonly<Record<Effort, number>> = {
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 32_768,
  max: 32_768,
};

/** The smallest budget that the API takes, in tokens. */
const MIN_BUDGET = 1024;

/** The maximum share of `max_tokens` for thinking, which leaves room for the answer. */
const MAX_BUDGET_SHARE = 0.8;

/**
 * Maps `reasoning_effort` to `thinking` and effort; the client's own `thinking` takes precedence unchanged. Throws
 * `unsupported` for unknown efforts, and reports the effort as ignored where the model can't honour it.
 */
export function planThinking(input: ThinkingInput): Thinking {
  const { request, traits, call } = input;
  const wanted = request["reasoning_effort"];
  const own = asObject(request["thinking"]);
  if (own) {
    if (!isAbsent(wanted)) call.ignored("reasoning_effort", "the request's own `thinking` decides");
    return { thinking: own, isOn: own["type"] !== "disabled" };
  }
  if (isAbsent(wanted)) return { isOn: traits.thinksByDefault };
  if (wanted === "none") return withoutThinking(input);
  const level = typeof wanted === "string" ? LEVELS.get(wanted) : undefined;
  if (!level)
    throw unsupported(
      "takes none, minimal, low, medium, high, xhigh or max as an effort",
      "reasoning_effort",
    );
  if (traits.thinking === "none") return ignoreEffort(input, "this model doesn't think");
  return traits.thinking === "adaptive" ? byEffort(input, level) : byBudget(input, level);
}

function withoutThinking(input: ThinkingInput): Thinking {
  const { traits } = input;
  if (!traits.thinksByDefault) return { isOn: false };
  if (traits.canDisableThinking) return { thinking: { type: "disabled" }, isOn: false };
  return { ...ignoreEffort(input, "this model always thinks; it was input for little"), effort: "low" };
}

function byEffort(input: ThinkingInput, level: Effort): Thinking {
  const effort = nearest(level, input.traits.efforts);
  const efforts = effort && { effort };
  if (!input.isForced)
    return { thinking: { type: "adaptive", display: "summarized" }, ...efforts, isOn: true };
  if (input.traits.thinksByDefault) return { ...efforts, isOn: true };
  return { ...ignoreEffort(input, FORCED), ...efforts };
}

function byBudget(input: ThinkingInput, level: Effort): Thinking {
  if (input.isForced) return ignoreEffort(input, FORCED);
  if (input.lacksThinking)
    return ignoreEffort(input, "the turn that called tools came back without its reasoning_details");
  const most = Math.floor(input.maxTokens * MAX_BUDGET_SHARE);
  if (most < MIN_BUDGET) return ignoreEffort(input, "max_tokens leaves no room for thinking");
  return { thinking: { type: "enabled", budget_tokens: Math.min(BUDGETS[level], most) }, isOn: true };
}

const FORCED = "this model can't think where tool_choice demands a tool call";

function ignoreEffort({ call, traits }: ThinkingInput, why: string): Thinking {
  call.ignored("reasoning_effort", why);
  return { isOn: traits.thinksByDefault };
}

/** Returns the highest level, up to the requested one, that the model takes. */
function nearest(level: Effort, taken: readonly Effort[]): Effort | undefined {
  const upTo = EFFORTS.slice(0, EFFORTS.indexOf(level) + 1);
  return upTo.findLast((each) => taken.includes(each));
}
