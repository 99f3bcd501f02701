import { asArray, asString, isAbsent, isObject, member } from "modelyard/kit";
import { isNumber } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { geminiSchema } from "./schema.ts";
import type { Options } from "../options.ts";

/** One field of a request. */
interface Field {
  readonly name: string;
  readonly value: Json;
  readonly request: ChatRequest;
  readonly call: Pick<Call, "ignored">;
}

/** The members of `generationConfig` and of the request that a field maps to. */
interface MappedField {
  readonly config?: JsonObject;
  readonly body?: JsonObject;
}

type Rule = (field: Field) => MappedField;

const RULES = new Map<string, Rule>([
  // The gateway's own, and those mapped elsewhere.
  ...["model", "messages", "stream", "tools", "tool_choice", "reasoning_effort", "safety_settings"].map(
    mappedElsewhere,
  ),
  [
    "stream_options",
    ({ value, call }) => membersNamed(value, { known: ["include_usage"], path: "stream_options", call }),
  ],
  ...[
    ["temperature", "temperature"],
    ["top_p", "topP"],
    ["top_k", "topK"],
    ["seed", "seed"],
    ["n", "candidateCount"],
    ["presence_penalty", "presencePenalty"],
    ["frequency_penalty", "frequencyPenalty"],
    ["max_completion_tokens", "maxOutputTokens"],
  ].map(number),
  ["max_tokens", maxTokens],
  ["logprobs", flag],
  ["top_logprobs", topLogprobs],
  ["stop", stop],
  ["response_format", responseFormat],
  ["modalities", modalities],
  ["service_tier", serviceTier],
  ["parallel_tool_calls", ({ name, value, call }) => (value === true ? {} : ignore(name, call))],
  ["cached_content", ({ value }) => ({ body: { cachedContent: value } })],
  ["google", ({ value, call }) => membersNamed(value, { known: GOOGLE_FIELDS, path: "google", call })],
  ["extra_body", extraBody],
  // These would change the answer.
  ...["functions", "function_call", "audio", "web_search_options"].map(reject),
]);

const GOOGLE_FIELDS = ["thinking_config", "cached_content"];

/** Google's service tiers by OpenAI's. https://ai.google.dev/gemini-api/docs/optimization */
const TIERS = new Map([
  ["default", "standard"],
  ["flex", "flex"],
  ["priority", "priority"],
]);

const MAX_STOPS = 5;

/**
 * Maps all fields but conversation, tools and thinking to `generationConfig` and other members of Gemini's request.
 * Throws `unsupported` for fields that would change the answer and can't be honoured; reports other unknown ones by
 * `call.ignored`. https://ai.google.dev/api/generate-content
 */
export function parameters(request: ChatRequest, call: Pick<Call, "ignored">): Required<MappedField> {
  const config: Record<string, Json | undefined> = {};
  const body: Record<string, Json | undefined> = {};
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined || value === null) continue;
    const mapped = RULES.get(name)?.({ name, value, request, call }) ?? ignore(name, call);
    Object.assign(config, mapped.config);
    Object.assign(body, mapped.body);
  }
  return { config, body };
}

function mappedElsewhere(name: string): [string, Rule] {
  return [name, () => ({})];
}

function ignore(name: string, call: Pick<Call, "ignored">): MappedField {
  call.ignored(name, "Gemini has no such parameter");
  return {};
}

function number([name = "", own = ""]: readonly string[]): [string, Rule] {
  return [
    name,
    ({ value }) => {
      if (!isNumber(value)) throw badRequest(name, "a number");
      return { config: { [own]: value } };
    },
  ];
}

/** Maps `max_tokens`, over which `max_completion_tokens` takes precedence. */
function maxTokens({ name, value, request, call }: Field): MappedField {
  if (!isNumber(value)) throw badRequest(name, "a number");
  const newer = request["max_completion_tokens"];
  if (newer === undefined || newer === null) return { config: { maxOutputTokens: value } };
  return newer === value ? {} : ignore(name, call);
}

function flag({ name, value }: Field): MappedField {
  if (typeof value !== "boolean") throw badRequest(name, "true or false");
  return value ? { config: { responseLogprobs: true } } : {};
}

/** Maps `top_logprobs`, which Gemini takes only beside `responseLogprobs`. */
function topLogprobs({ name, value, request }: Field): MappedField {
  if (!isNumber(value)) throw badRequest(name, "a number");
  return request["logprobs"] !== true && Number(value) === 0 ? {} : { config: { logprobs: value } };
}

function stop({ value }: Field): MappedField {
  const sequences = Array.isArray(value) ? asArray(value) : [value];
  if (!sequences.every((sequence) => typeof sequence === "string")) {
    throw badRequest("stop", "a text or a list of texts");
  }
  if (sequences.length > MAX_STOPS) throw unsupported("stop", `Gemini takes ${MAX_STOPS} at most`);
  const stopSequences = sequences.filter((sequence) => sequence !== "");
  return stopSequences.length > 0 ? { config: { stopSequences } } : {};
}

function responseFormat({ value, call }: Field): MappedField {
  const type = asString(member(value, "type"));
  if (type === "text") return {};
  const config = { responseMimeType: "application/json" };
  if (type === "json_object") return { config };
  const jsonSchema = member(value, "json_schema");
  const schema = member(jsonSchema, "schema");
  if (type !== "json_schema") throw unsupported("response_format", `Gemini knows no format "${type}"`);
  if (!isObject(jsonSchema)) throw badRequest("response_format.json_schema", "an object");
  const path = "response_format.json_schema";
  // Gemini always enforces the schema.
  membersNamed(jsonSchema, { known: ["name", "description", "schema", "strict"], path, call });
  if (schema === undefined) return { config };
  const responseJsonSchema = geminiSchema(schema, { path: `${path}.schema`, call });
  // Gemini takes no keywords beside a `$ref` at the top.
  const labels = responseJsonSchema["$ref"]
    ? {}
    : { title: jsonSchema["name"], description: jsonSchema["description"] };
  return { config: { ...config, responseJsonSchema: { ...labels, ...responseJsonSchema } } };
}

function modalities({ value }: Field): MappedField {
  const kinds = asArray(value).map(String);
  if (kinds.some((kind) => kind !== "text" && kind !== "image")) {
    throw unsupported("modalities", "Gemini answers with text and, where the model can, with images");
  }
  return kinds.includes("image")
    ? { config: { responseModalities: kinds.map((kind) => kind.toUpperCase()) } }
    : {};
}

function serviceTier({ name, value, call }: Field): MappedField {
  if (value === "auto") return {};
  const tier = typeof value === "string" ? TIERS.get(value) : undefined;
  return tier ? { body: { serviceTier: tier } } : ignore(name, call);
}

function extraBody({ value, call }: Field): MappedField {
  membersNamed(value, { known: ["google"], path: "extra_body", call });
  return membersNamed(member(value, "google"), { known: GOOGLE_FIELDS, path: "extra_body.google", call });
}

function reject(name: string): [string, Rule] {
  return [
    name,
    ({ value }) => {
      if (isAbsent(value) || value === "none") return {};
      throw unsupported(name, "Gemini can't do that");
    },
  ];
}

interface Members {
  readonly known: readonly string[];
  readonly path: string;
  readonly call: Pick<Call, "ignored">;
}

function membersNamed(value: Json | undefined, { known, path, call }: Members): MappedField {
  for (const [name, own] of Object.entries(isObject(value) ? value : {})) {
    if (!known.includes(name) && !isAbsent(own)) ignore(`${path}.${name}`, call);
  }
  return {};
}

/** Returns `safetySettings`: the options', overridden category by category by the request's. */
export function safetySettings(request: ChatRequest, safety: Options["safety"]): JsonObject {
  const settings = new Map<string, Json>();
  for (const [category, threshold] of Object.entries(safety)) {
    const name = `HARM_CATEGORY_${category.toUpperCase()}`;
    settings.set(name, { category: name, threshold });
  }
  const own = request["safety_settings"] ?? [];
  if (!Array.isArray(own)) throw badRequest("safety_settings", "a list");
  for (const setting of asArray(own)) settings.set(asString(member(setting, "category")), setting);
  return settings.size > 0 ? { safetySettings: [...settings.values()] } : {};
}
