import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";

/** The parameters of a request that an echo honours. */
export interface Parameters {
  /** The number of answers. */
  readonly choices: number;
  /** The maximum number of words of an answer; infinite without a limit. */
  readonly maxWords: number;
  /** The stop sequences. */
  readonly stops: readonly string[];
}

/** Reads `n`, `max_completion_tokens`, `max_tokens` and `stop`. Throws `bad-request` for invalid values. */
export function parametersOf(request: ChatRequest): Parameters {
  const bound = request["max_completion_tokens"] === undefined ? "max_tokens" : "max_completion_tokens";
  return {
    choices: count(request, "n", MAX_CHOICES) ?? 1,
    maxWords: count(request, bound, Number.MAX_SAFE_INTEGER) ?? Infinity,
    stops: stopsOf(request["stop"]),
  };
}

// OpenAI's limit of `n`.
const MAX_CHOICES = 128;

function count(request: ChatRequest, param: string, most: number): number | undefined {
  const value = request[param];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new UpstreamError("bad-request", `${param} must be a whole number from 1 to ${most}`, { param });
}

function stopsOf(stop: Json | undefined): readonly string[] {
  const stops = Array.isArray(stop) ? (stop as readonly Json[]) : [stop];
  return stops.filter((each): each is string => typeof each === "string" && each !== "");
}

/** Reports the parameters that would need another form of answer. */
export function reportIgnored(request: ChatRequest, call: Call): void {
  const choice = request["tool_choice"];
  if (choice !== undefined && choice !== null && choice !== "auto" && choice !== "none") {
    call.ignored("tool_choice", "an echo calls no tools");
  }
  if (request["logprobs"] === true) call.ignored("logprobs", "an echo has no probabilities");
  const format = request["response_format"];
  if (
    typeof format === "object" &&
    format !== null &&
    !Array.isArray(format) &&
    (format as JsonObject)["type"] !== "text"
  ) {
    call.ignored("response_format", "an echo says what it was told");
  }
}
