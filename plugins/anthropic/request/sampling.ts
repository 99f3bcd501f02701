import { isNumber } from "modelyard/plugin";
import type { Call, ChatRequest, JsonObject } from "modelyard/plugin";
import { badRequest } from "./errors.ts";
import { isNothing } from "../json.ts";
import type { Traits } from "../traits.ts";

const SAMPLING = ["temperature", "top_p", "top_k"];

interface Way {
  readonly traits: Traits;
  readonly isThinking: boolean;
  readonly call: Pick<Call, "ignored">;
}

/**
 * `temperature`, `top_p` and `top_k` as far as the model takes them; what it doesn't is named, except a value
 * that is the default anyway. OpenAI's temperature goes up to 2, Anthropic's to 1: more is lowered, and named.
 */
export function sampling(request: ChatRequest, { traits, isThinking, call }: Way): JsonObject {
  const { temperature, top_p: topP, top_k: topK } = request;
  const wrong = SAMPLING.find((name) => !isNothing(request[name]) && !isNumber(request[name]));
  if (wrong !== undefined) throw badRequest(`${wrong} is a number`, wrong);
  if (!traits.sampling) return nameAll(request, call, "this model takes no sampling parameters");
  if (isThinking && traits.isClaude) return whileThinking(request, call);
  const isOneOnly = traits.oneOfSampling && !isDefault(temperature) && !isNothing(topP);
  if (isOneOnly && !isDefault(topP)) call.ignored("top_p", "this model takes it only without temperature");
  const isTopP = !isNothing(topP) && !isOneOnly;
  return {
    ...(!isNothing(temperature) &&
      !(isTopP && traits.oneOfSampling) && { temperature: lowered(temperature, call) }),
    ...(isTopP && { top_p: topP }),
    ...(!isNothing(topK) && { top_k: topK }),
  };
}

/** https://platform.claude.com/docs/en/build-with-claude/extended-thinking: only a top_p close to 1 is taken. */
function whileThinking(request: ChatRequest, call: Way["call"]): JsonObject {
  const { top_p: topP, ...others } = request;
  const isTaken = typeof topP === "number" && topP >= 0.95 && topP <= 1;
  const rest = isTaken ? others : request;
  return { ...nameAll(rest, call, "this model takes none while it thinks"), ...(isTaken && { top_p: topP }) };
}

function nameAll(request: JsonObject, call: Way["call"], why: string): JsonObject {
  for (const name of SAMPLING) {
    if (!isDefault(request[name])) call.ignored(name, why);
  }
  return {};
}

function isDefault(value: JsonObject[string]): boolean {
  return isNothing(value) || value === 1;
}

function lowered(temperature: JsonObject[string], call: Way["call"]): JsonObject[string] {
  if (typeof temperature !== "number" || temperature <= 1) return temperature;
  call.ignored("temperature", "this API takes at most 1, which was sent");
  return 1;
}
