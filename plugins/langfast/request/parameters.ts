import { isObject } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import type { LangfastModel } from "../models.ts";

/** What one field of a request becomes. */
interface Field {
  readonly name: string;
  readonly value: Json;
  readonly request: ChatRequest;
  readonly model: LangfastModel;
  readonly call: Pick<Call, "ignored">;
}

type Rule = (field: Field) => JsonObject;

/** What the service's own page sends where the user sets nothing; OpenAI's defaults, too. */
const SAMPLING_DEFAULTS = { temperature: 1, top_p: 1, frequency_penalty: 0, presence_penalty: 0 };

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  // The gateway's own, and those that have a file of their own.
  ...["model", "messages", "stream", "stream_options", "stop"].map((name): [string, Rule] => [name, nothing]),
  ...Object.keys(SAMPLING_DEFAULTS).map((name): [string, Rule] => [name, sampling]),
  ["max_tokens", longest],
  ["max_completion_tokens", longest],
  ["reasoning_effort", (field) => choice(field, field.model.efforts)],
  ["verbosity", (field) => choice(field, field.model.verbosity ? LEVELS : [])],
  ["summary", summary],
  ["response_format", responseFormat],
  ["n", refusing("gives one answer only (n: 1)", (value) => value === 1)],
  ["logprobs", refusing("gives no logprobs", (value) => value === false)],
  ["top_logprobs", refusing("gives no logprobs", (value) => value === 0)],
  ["modalities", refusing('gives text only (modalities: ["text"])', isTextOnly)],
  ["tools", refusing("takes no tools", isEmptyList)],
  ["functions", refusing("takes no functions", isEmptyList)],
  ["tool_choice", refusing('takes no tools (tool_choice: "none")', (value) => value === "none")],
  ["function_call", refusing('takes no functions (function_call: "none")', (value) => value === "none")],
  ["audio", refusing("gives text only, no audio")],
  ["prediction", refusing("takes no prediction")],
  ["web_search_options", refusing("has no web search")],
]);

const LEVELS = ["low", "medium", "high"];

/**
 * The parameters of a run. What would change the answer and can't be honoured throws `unsupported` with the
 * field's name; everything else that the service doesn't know is named with `call.ignored`.
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
    const rule = RULES.get(name) ?? unknown;
    Object.assign(parameters, rule({ name, value, request, model, call }));
  }
  return parameters;
}

function nothing(): JsonObject {
  return {};
}

function unknown({ name, call }: Field): JsonObject {
  call.ignored(name, "langfa.st has no such parameter");
  return {};
}

function sampling({ name, value, model, call }: Field): JsonObject {
  if (typeof value !== "number") throw badRequest(name, "a number");
  if (model.sampling) return { [name]: value };
  call.ignored(name, `${model.id} takes no sampling parameters`);
  return {};
}

/** Both names of the longest answer; the newer one wins. */
function longest({ name, value, request, model, call }: Field): JsonObject {
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

/** Refuses what isn't harmless, saying what the service does instead. */
function refusing(instead: string, isHarmless: (value: Json) => boolean = () => false): Rule {
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
