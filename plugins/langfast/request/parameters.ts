import { isObject } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import type { LangfastModel } from "../models.ts";

/** One field of a request, and the context of its mapping. */
interface Field {
  readonly name: string;
  readonly value: Json;
  readonly request: ChatRequest;
  readonly model: LangfastModel;
  readonly call: Pick<Call, "ignored">;
}

type Rule = (field: Field) => JsonObject;

/** The values that the service's own page sends by default; they are OpenAI's defaults, too. */
const SAMPLING_DEFAULTS = { temperature: 1, top_p: 1, frequency_penalty: 0, presence_penalty: 0 };

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  // The gateway's own, and those mapped elsewhere.
  ...["model", "messages", "stream", "stream_options", "stop"].map((name): [string, Rule] => [name, omit]),
  ...Object.keys(SAMPLING_DEFAULTS).map((name): [string, Rule] => [name, sampling]),
  ["max_tokens", maxTokens],
  ["max_completion_tokens", maxTokens],
  ["reasoning_effort", (field) => choice(field, field.model.efforts)],
  ["verbosity", (field) => choice(field, field.model.verbosity ? LEVELS : [])],
  ["summary", summary],
  ["response_format", responseFormat],
  ["n", rejectUnless("gives one answer only (n: 1)", (value) => value === 1)],
  ["logprobs", rejectUnless("gives no logprobs", (value) => value === false)],
  ["top_logprobs", rejectUnless("gives no logprobs", (value) => value === 0)],
  ["modalities", rejectUnless('gives text only (modalities: ["text"])', isTextOnly)],
  ["tools", rejectUnless("takes no tools", isEmptyList)],
  ["functions", rejectUnless("takes no functions", isEmptyList)],
  ["tool_choice", rejectUnless('takes no tools (tool_choice: "none")', (value) => value === "none")],
  ["function_call", rejectUnless('takes no functions (function_call: "none")', (value) => value === "none")],
  ["audio", rejectUnless("gives text only, no audio")],
  ["prediction", rejectUnless("takes no prediction")],
  ["web_search_options", rejectUnless("has no web search")],
]);

const LEVELS = ["low", "medium", "high"];

/**
 * Maps the parameters of a run. Throws `UpstreamError` `unsupported` for a parameter that would change the answer and
 * can't be honoured; reports all others that the service doesn't know by `call.ignored`.
 */
export function mapParameters(
  request: ChatRequest,
  model: LangfastModel,
  call: Pick<Call, "ignored">,
): JsonObject {
  const parameters: Record<string, Json | undefined> = {
    ...(model.sampling ? SAMPLING_DEFAULTS : {}),
    response_format: "text",
  };
  for (const name of Object.keys(request)) {
    const value = request[name];
    if (value === undefined || value === null) continue;
    const rule = RULES.get(name) ?? ignoreUnknown;
    Object.assign(parameters, rule({ name, value, request, model, call }));
  }
  return parameters;
}

function omit(): JsonObject {
  return {};
}

function ignoreUnknown({ name, call }: Field): JsonObject {
  call.ignored(name, "langfa.st has no such parameter");
  return {};
}

function sampling({ name, value, model, call }: Field): JsonObject {
  if (typeof value !== "number") throw badRequest(name, "a number");
  if (model.sampling) return { [name]: value };
  call.ignored(name, `${model.id} takes no sampling parameters`);
  return {};
}

/** Maps `max_tokens` and `max_completion_tokens`; the latter wins. */
function maxTokens({ name, value, request, model, call }: Field): JsonObject {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
    throw badRequest(name, "a whole number above 0");
  }
  const newer = request["max_completion_tokens"];
  if (name === "max_tokens" && newer !== undefined && newer !== null) {
    if (newer !== value) call.ignored(name, "max_completion_tokens is given, too, and wins");
    return {};
  }
  if (value > model.output) call.ignored(name, `lowered to ${model.output}, the most that ${model.id} takes`);
  return { max_completion_tokens: Math.min(value, model.output) };
}

function choice({ name, value, model, call }: Field, choices: readonly string[]): JsonObject {
  if (choices.some((each) => each === value)) return { [name]: value };
  const why = choices.length > 0 ? `${model.id} takes ${choices.join(", ")}` : `${model.id} takes none`;
  call.ignored(name, why);
  return {};
}

function summary({ name, value, model, call }: Field): JsonObject {
  if (model.verbosity && typeof value === "string") return { summary: value };
  call.ignored(name, `${model.id} takes none`);
  return {};
}

function responseFormat({ name, value, model }: Field): JsonObject {
  const type = isObject(value) ? value["type"] : value;
  if (typeof type !== "string") throw badRequest(name, "an object with a type");
  if (!model.formats.includes(type)) throw unsupported(name, `${model.id} takes no response_format ${type}`);
  if (type === "text") return { response_format: "text" };
  if (!isObject(value)) throw badRequest(name, "an object with a type");
  return { response_format: value };
}

/** Creates a rule that rejects every value but harmless ones. `instead` completes "langfa.st …" in its message. */
function rejectUnless(instead: string, isHarmless: (value: Json) => boolean = () => false): Rule {
  return ({ name, value }) => {
    if (!isHarmless(value)) throw unsupported(name, `langfa.st ${instead}`);
    return {};
  };
}

function isTextOnly(value: Json): boolean {
  return Array.isArray(value) && value.every((each) => each === "text");
}

function isEmptyList(value: Json): boolean {
  return Array.isArray(value) && value.length === 0;
}

function unsupported(param: string, message: string): UpstreamError {
  return new UpstreamError("unsupported", message, { param });
}

function badRequest(param: string, expected: string): UpstreamError {
  return new UpstreamError("bad-request", `${param} must be ${expected}`, { param });
}
