import { asObject, isAbsent } from "modelyard/kit";
import type { Call, ChatRequest, Json } from "modelyard/plugin";
import { unsupported } from "./errors.ts";
import { EFFORTS } from "../traits.ts";
import type { Effort, Traits } from "../traits.ts";

/** How a request has its model think. */
export interface Thinking {
  readonly thinking?: Json;
  readonly effort?: Effort;
  /** Whether the model will think, so far as that is known: sampling parameters are refused then. */
  readonly isOn: boolean;
}

/** What decides about the thinking. */
export interface Asked {
  readonly request: ChatRequest;
  readonly traits: Traits;
  readonly maxTokens: number;
  /** Whether a tool call is demanded: then older models may not be told to think. */
  readonly isForced: boolean;
  /** Whether the last turn called tools and has lost its thoughts: older models may not think on then. */
  readonly isThoughtless: boolean;
  readonly call: Pick<Call, "ignored">;
}

/** OpenAI's efforts in Anthropic's words; `none` is another matter. */
const LEVELS: ReadonlyMap<string, Effort> = new Map([
  ["minimal", "low"],
  ...EFFORTS.map((level) => [level, level]),
] as [string, Effort][]);

/** Budgets for models that take one, in tokens. */
const BUDGETS: Readonly<Record<Effort, number>> = {
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 32_768,
  max: 32_768,
};

/** The least budget that the API takes. */
const LEAST_BUDGET = 1024;

/** The part of `max_tokens` that may be thought, so that there is an answer, too. */
const MOST_OF_ALL = 0.8;

/**
 * `reasoning_effort` as `thinking` and effort; the client's own `thinking` goes first, as it is. Throws
 * `unsupported` for an effort of another name, and names it where the model can't follow it.
 */
export function planThinking(asked: Asked): Thinking {
  const { request, traits, call } = asked;
  const wanted = request["reasoning_effort"];
  const own = asObject(request["thinking"]);
  if (own) {
    if (!isAbsent(wanted)) call.ignored("reasoning_effort", "the request's own `thinking` decides");
    return { thinking: own, isOn: own["type"] !== "disabled" };
  }
  if (isAbsent(wanted)) return { isOn: traits.thinksUnasked };
  if (wanted === "none") return withoutThinking(asked);
  const level = typeof wanted === "string" ? LEVELS.get(wanted) : undefined;
  if (!level)
    throw unsupported(
      "takes none, minimal, low, medium, high, xhigh or max as an effort",
      "reasoning_effort",
    );
  if (traits.thinking === "none") return unheard(asked, "this model doesn't think");
  return traits.thinking === "adaptive" ? byEffort(asked, level) : byBudget(asked, level);
}

function withoutThinking(asked: Asked): Thinking {
  const { traits } = asked;
  if (!traits.thinksUnasked) return { isOn: false };
  if (traits.mayStopThinking) return { thinking: { type: "disabled" }, isOn: false };
  return { ...unheard(asked, "this model always thinks; it was asked for little"), effort: "low" };
}

function byEffort(asked: Asked, level: Effort): Thinking {
  const effort = nearest(level, asked.traits.efforts);
  const efforts = effort && { effort };
  if (!asked.isForced)
    return { thinking: { type: "adaptive", display: "summarized" }, ...efforts, isOn: true };
  if (asked.traits.thinksUnasked) return { ...efforts, isOn: true };
  return { ...unheard(asked, FORCED), ...efforts };
}

function byBudget(asked: Asked, level: Effort): Thinking {
  if (asked.isForced) return unheard(asked, FORCED);
  if (asked.isThoughtless)
    return unheard(asked, "the turn that called tools came back without its reasoning_details");
  const most = Math.floor(asked.maxTokens * MOST_OF_ALL);
  if (most < LEAST_BUDGET) return unheard(asked, "max_tokens leaves no room for thinking");
  return { thinking: { type: "enabled", budget_tokens: Math.min(BUDGETS[level], most) }, isOn: true };
}

const FORCED = "this model can't think where tool_choice demands a tool call";

function unheard({ call, traits }: Asked, why: string): Thinking {
  call.ignored("reasoning_effort", why);
  return { isOn: traits.thinksUnasked };
}

/** The highest level that the model takes, up to the one wanted. */
function nearest(level: Effort, taken: readonly Effort[]): Effort | undefined {
  const upTo = EFFORTS.slice(0, EFFORTS.indexOf(level) + 1);
  return upTo.findLast((each) => taken.includes(each));
}
