import { asObject, asString, isAbsent } from "modelyard/kit";
import { isNumber, UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import type { Traits } from "../traits.ts";

/** Parameters that are mapped elsewhere, or are the gateway's. */
const MAPPED_ELSEWHERE = new Set([
  "model",
  "messages",
  "stream",
  "max_tokens",
  "max_completion_tokens",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "reasoning_effort",
  "thinking",
  "response_format",
  "output_config",
  "temperature",
  "top_p",
  "top_k",
  "system",
  "betas",
]);

/**
 * Anthropic's own parameters, which are passed on unchanged: https://platform.claude.com/docs/en/api/messages/create
 */
export const NATIVE = new Set([
  "billing_policy",
  "cache_control",
  "compaction",
  "container",
  "context_management",
  "diagnostics",
  "fallback_credit_token",
  "fallbacks",
  "inference_geo",
  "mcp_servers",
  "speed",
  "thread",
]);

type Rule = (value: Json, field: Field) => JsonObject;

interface Field {
  readonly name: string;
  readonly request: ChatRequest;
  readonly call: Pick<Call, "ignored">;
}

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["stop", stopSequences],
  ["stop_sequences", stopSequences],
  ["user", userId],
  ["safety_identifier", userId],
  ["metadata", metadata],
  ["service_tier", serviceTier],
  ["stream_options", streamOptions],
  ["frequency_penalty", ignoredUnless((value) => value === 0)],
  ["presence_penalty", ignoredUnless((value) => value === 0)],
  ["logit_bias", ignoredUnless((value) => Object.keys(asObject(value) ?? {}).length === 0)],
  ["store", ignoredUnless((value) => value === false)],
  ["n", refusedUnless((value) => value === 1)],
  ["logprobs", refusedUnless((value) => value === false)],
  ["top_logprobs", refusedUnless((value) => value === 0)],
  ["modalities", refusedUnless((value) => Array.isArray(value) && value.every((each) => each === "text"))],
  ...["audio", "functions", "function_call", "moderation", "web_search_options"].map(
    (name): [string, Rule] => [name, refusedUnless(() => false)],
  ),
]);

/**
 * Maps all parameters that aren't mapped elsewhere. Throws `unsupported` for those that would change the answer and
 * can't be honoured; reports and omits all others that Anthropic would reject.
 */
export function mapParameters(request: ChatRequest, call: Pick<Call, "ignored">): JsonObject {
  const parameters: Record<string, Json | undefined> = {};
  for (const [name, value] of Object.entries(request)) {
    if (MAPPED_ELSEWHERE.has(name) || value === undefined || isAbsent(value)) continue;
    if (NATIVE.has(name)) parameters[name] = value;
    else Object.assign(parameters, (RULES.get(name) ?? ignore)(value, { name, request, call }));
  }
  return parameters;
}

function ignore(_: Json, { name, call }: Field): JsonObject {
  call.ignored(name, "this API has no such parameter");
  return {};
}

function ignoredUnless(isHarmless: (value: Json) => boolean): Rule {
  return (value, field) => (isHarmless(value) ? {} : ignore(value, field));
}

function refusedUnless(isHarmless: (value: Json) => boolean): Rule {
  return (value, { name }) => {
    if (isHarmless(value)) return {};
    throw unsupported(`has no ${name}`, name);
  };
}

function stopSequences(value: Json, { name, request }: Field): JsonObject {
  const sequences = [request["stop_sequences"], request["stop"]].flatMap((each) => each ?? []);
  if (!sequences.every((each) => typeof each === "string")) {
    throw badRequest(`${name} is a string or a list of strings`, name);
  }
  const nonEmpty = sequences.filter((sequence) => sequence !== "");
  if (nonEmpty.some((sequence) => sequence.trim() === ""))
    throw unsupported("can't stop at blanks alone", name);
  return nonEmpty.length > 0 ? { stop_sequences: [...new Set(nonEmpty)] } : {};
}

/** `safety_identifier` is OpenAI's successor of `user`. */
function userId(value: Json, { name, request, call }: Field): JsonObject {
  if (isUnnamed(value)) return {};
  const newer = request["safety_identifier"];
  const id = isUnnamed(newer) ? value : newer;
  const isElsewhere = !isUnnamed(asObject(request["metadata"])?.["user_id"]) || id !== value;
  return isElsewhere ? ignore(value, { name, request, call }) : { metadata: { user_id: id } };
}

function isUnnamed(id: Json | undefined): boolean {
  return isAbsent(id) || id === "";
}

function metadata(value: Json, { call }: Field): JsonObject {
  const { user_id: id, ...others } = asObject(value) ?? {};
  if (Object.keys(others).length > 0) call.ignored("metadata", "this API keeps only user_id");
  return isUnnamed(id) ? {} : { metadata: { user_id: id } };
}

const TIERS = new Map([
  ["auto", "auto"],
  ["default", "standard_only"],
  ["standard_only", "standard_only"],
]);

function serviceTier(value: Json, field: Field): JsonObject {
  const tier = TIERS.get(asString(value));
  return tier === undefined ? ignore(value, field) : { service_tier: tier };
}

function streamOptions(value: Json, { call }: Field): JsonObject {
  const { include_usage: _, ...others } = asObject(value) ?? {};
  for (const name of Object.keys(others)) {
    if (!isAbsent(others[name])) call.ignored(`stream_options.${name}`, "this API has no such choice");
  }
  return {};
}

/** Returns the request's output limit; `max_completion_tokens` takes precedence. */
export function maxTokensOf(request: ChatRequest, usual: number, call: Pick<Call, "ignored">): number {
  const { max_completion_tokens: newer, max_tokens: older } = request;
  if (!isAbsent(newer) && !isAbsent(older) && newer !== older) {
    call.ignored("max_tokens", "max_completion_tokens says something else");
  }
  const value = newer ?? older ?? usual;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  const param = isAbsent(newer) ? "max_tokens" : "max_completion_tokens";
  throw new UpstreamError("bad-request", `${param} is a number of tokens`, { param });
}

const SAMPLING = ["temperature", "top_p", "top_k"];

interface SamplingContext {
  readonly traits: Traits;
  readonly isThinking: boolean;
  readonly call: Pick<Call, "ignored">;
}

/**
 * Maps `temperature`, `top_p` and `top_k`. Reports those that the model doesn't take, unless the value is the default.
 * Temperatures above 1, Anthropic's maximum, are lowered and reported.
 */
export function sampling(request: ChatRequest, { traits, isThinking, call }: SamplingContext): JsonObject {
  const { temperature, top_p: topP, top_k: topK } = request;
  const wrong = SAMPLING.find((name) => !isAbsent(request[name]) && !isNumber(request[name]));
  if (wrong !== undefined) throw badRequest(`${wrong} is a number`, wrong);
  if (!traits.sampling) return reportAll(request, call, "this model takes no sampling parameters");
  if (isThinking && traits.isClaude) return samplingWhileThinking(request, call);
  const isOneOnly = traits.exclusiveSampling && !isDefault(temperature) && !isAbsent(topP);
  if (isOneOnly && !isDefault(topP)) call.ignored("top_p", "this model takes it only without temperature");
  const isTopP = !isAbsent(topP) && !isOneOnly;
  return {
    ...(!isAbsent(temperature) &&
      !(isTopP && traits.exclusiveSampling) && { temperature: clampTemperature(temperature, call) }),
    ...(isTopP && { top_p: topP }),
    ...(!isAbsent(topK) && { top_k: topK }),
  };
}

/** https://platform.claude.com/docs/en/build-with-claude/extended-thinking: only a top_p close to 1 is taken. */
function samplingWhileThinking(request: ChatRequest, call: SamplingContext["call"]): JsonObject {
  const { top_p: topP, ...others } = request;
  const isTaken = typeof topP === "number" && topP >= 0.95 && topP <= 1;
  const rest = isTaken ? others : request;
  return {
    ...reportAll(rest, call, "this model takes none while it thinks"),
    ...(isTaken && { top_p: topP }),
  };
}

function reportAll(request: JsonObject, call: SamplingContext["call"], why: string): JsonObject {
  for (const name of SAMPLING) {
    if (!isDefault(request[name])) call.ignored(name, why);
  }
  return {};
}

function isDefault(value: JsonObject[string]): boolean {
  return isAbsent(value) || value === 1;
}

function clampTemperature(
  temperature: JsonObject[string],
  call: SamplingContext["call"],
): JsonObject[string] {
  if (typeof temperature !== "number" || temperature <= 1) return temperature;
  call.ignored("temperature", "this API takes at most 1, which was sent");
  return 1;
}
