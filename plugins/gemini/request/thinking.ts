import { isObject } from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import type { ModelName } from "../models.ts";
import { badRequest, unsupported } from "./errors.ts";

interface ThinkingInput {
  readonly request: ChatRequest;
  readonly model: ModelName;
  /** Whether thought summaries are requested without a `reasoning_effort`, too. */
  readonly thoughts: boolean;
  /** The request's `google.thinking_config`. */
  readonly own: JsonObject;
  readonly call: Pick<Call, "ignored">;
}

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;
type Effort = (typeof EFFORTS)[number];

/** The table of Google's OpenAI-compatible API. https://ai.google.dev/gemini-api/docs/openai#thinking */
const BUDGETS = { none: 0, minimal: 1024, low: 1024, medium: 8192, high: 24_576, xhigh: 24_576, max: 24_576 };
const LEVELS = {
  none: "LOW",
  minimal: "LOW",
  low: "LOW",
  medium: "MEDIUM",
  high: "HIGH",
  xhigh: "HIGH",
  max: "HIGH",
};

/** The models that take the level MINIMAL by Google's documentation. */
const HAS_MINIMAL = /^gemini-(3|3\.1|3\.5)-flash/;

/** The smallest thinking budget of 2.5 Pro, in tokens. */
const MIN_BUDGET_OF_PRO = 128;

/**
 * Returns `thinkingConfig`, or undefined if the request needs none. Reports an effort that the model doesn't support.
 */
export function thinkingConfig(input: ThinkingInput): JsonObject | undefined {
  const effort = effortOf(input.request["reasoning_effort"]);
  const own = camelCased(input.own);
  if (!thinks(input.model)) {
    if (effort && effort !== "none")
      input.call.ignored("reasoning_effort", "this model isn't told how to think");
    return Object.keys(own).length > 0 ? own : undefined;
  }
  if (effort && ("thinkingBudget" in own || "thinkingLevel" in own)) {
    throw badRequest("reasoning_effort", "left out where google.thinking_config says how much to think");
  }
  const wanted = input.thoughts || (effort !== undefined && effort !== "none");
  const config = {
    ...(wanted && { includeThoughts: true }),
    ...(effort && thinkingAmount(effort, input)),
    ...own,
  };
  return Object.keys(config).length > 0 ? config : undefined;
}

function thinks({ id, version }: ModelName): boolean {
  return version >= 2.5 && !/-(tts|live|native-audio)|^gemini-2\.5-.*-image/.test(id);
}

function effortOf(value: Json | undefined): Effort | undefined {
  if (value === undefined || value === null) return undefined;
  const effort = EFFORTS.find((each) => each === value);
  if (!effort) throw unsupported("reasoning_effort", `Gemini takes ${EFFORTS.join(", ")}`);
  return effort;
}

function thinkingAmount(effort: Effort, { model, call }: ThinkingInput): JsonObject {
  const isBudget = model.version < 3;
  if (effort === "xhigh" || effort === "max")
    call.ignored("reasoning_effort", "high is the most that can be input for");
  if (effort === "none" && (!isBudget || model.isPro)) {
    call.ignored("reasoning_effort", "this model always thinks; it is input to think as little as it can");
  }
  if (isBudget)
    return { thinkingBudget: effort === "none" && model.isPro ? MIN_BUDGET_OF_PRO : BUDGETS[effort] };
  if ((effort === "none" || effort === "minimal") && HAS_MINIMAL.test(model.id))
    return { thinkingLevel: "MINIMAL" };
  // Gemini 3 Pro takes only LOW and HIGH.
  if (effort === "medium" && model.id.startsWith("gemini-3-pro")) return { thinkingLevel: "HIGH" };
  return { thinkingLevel: LEVELS[effort] };
}

/** Converts `google.thinking_config`, whose members may be in snake case, to camel case. */
function camelCased(config: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}

/** Returns the request's object `google`, at its top or in `extra_body`, as in Google's OpenAI-compatible API. */
export function googleFields(request: ChatRequest): JsonObject {
  const body = request["extra_body"];
  const inner = isObject(body) ? body["google"] : undefined;
  const outer = request["google"];
  return { ...(isObject(inner) ? inner : {}), ...(isObject(outer) ? outer : {}) };
}
