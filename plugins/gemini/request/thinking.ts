import { isObject } from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import type { ModelName } from "../models.ts";
import { badRequest, unsupported } from "./errors.ts";

interface Asked {
  readonly request: ChatRequest;
  readonly model: ModelName;
  /** Whether thought summaries are asked for without a `reasoning_effort`, too. */
  readonly thoughts: boolean;
  /** `google.thinking_config` of the request. */
  readonly own: JsonObject;
  readonly call: Pick<Call, "ignored">;
}

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;
type Effort = (typeof EFFORTS)[number];

/** Google's own table for its OpenAI-compatible address. https://ai.google.dev/gemini-api/docs/openai#thinking */
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

/** The models whose lowest level is below LOW, as far as Google's documents say so. */
const HAS_MINIMAL = /^gemini-(3|3\.1|3\.5)-flash/;

/** The least that 2.5 Pro thinks. */
const LEAST_OF_PRO = 128;

/** `thinkingConfig` for a request; undefined where there is nothing to say. Names an effort that the model hasn't. */
export function thinkingConfig(asked: Asked): JsonObject | undefined {
  const effort = effortOf(asked.request["reasoning_effort"]);
  const own = camelCased(asked.own);
  if (!thinks(asked.model)) {
    if (effort && effort !== "none")
      asked.call.ignored("reasoning_effort", "this model isn't told how to think");
    return Object.keys(own).length > 0 ? own : undefined;
  }
  if (effort && ("thinkingBudget" in own || "thinkingLevel" in own)) {
    throw badRequest("reasoning_effort", "left out where google.thinking_config says how much to think");
  }
  const wanted = asked.thoughts || (effort !== undefined && effort !== "none");
  const config = { ...(wanted && { includeThoughts: true }), ...(effort && amount(effort, asked)), ...own };
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

function amount(effort: Effort, { model, call }: Asked): JsonObject {
  const isBudget = model.version < 3;
  if (effort === "xhigh" || effort === "max")
    call.ignored("reasoning_effort", "high is the most that can be asked for");
  if (effort === "none" && (!isBudget || model.isPro)) {
    call.ignored("reasoning_effort", "this model always thinks; it is asked to think as little as it can");
  }
  if (isBudget) return { thinkingBudget: effort === "none" && model.isPro ? LEAST_OF_PRO : BUDGETS[effort] };
  if ((effort === "none" || effort === "minimal") && HAS_MINIMAL.test(model.id))
    return { thinkingLevel: "MINIMAL" };
  // The first of them knew only LOW and HIGH.
  if (effort === "medium" && model.id.startsWith("gemini-3-pro")) return { thinkingLevel: "HIGH" };
  return { thinkingLevel: LEVELS[effort] };
}

/** `google.thinking_config` is written as the protocol's JSON may be, in either case. */
function camelCased(config: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}

/** The object that a request gives under `google`, itself or within `extra_body`, as Google's own address takes it. */
export function googleFields(request: ChatRequest): JsonObject {
  const body = request["extra_body"];
  const inner = isObject(body) ? body["google"] : undefined;
  const outer = request["google"];
  return { ...(isObject(inner) ? inner : {}), ...(isObject(outer) ? outer : {}) };
}
