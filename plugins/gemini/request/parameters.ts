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

/** What a field becomes: members of `generationConfig`, and of the request itself. */
interface Mapped {
  readonly config?: JsonObject;
  readonly body?: JsonObject;
}

type Rule = (field: Field) => Mapped;

const RULES = new Map<string, Rule>([
  // The gateway's own, and those that have a file of their own.
  ...["model", "messages", "stream", "tools", "tool_choice", "reasoning_effort", "safety_settings"].map(
    elsewhere,
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
  ["parallel_tool_calls", ({ name, value, call }) => (value === true ? {} : ignored(name, call))],
  ["cached_content", ({ value }) => ({ body: { cachedContent: value } })],
  ["google", ({ value, call }) => membersNamed(value, { known: GOOGLE_FIELDS, path: "google", call })],
  ["extra_body", extraBody],
  // They would make the answer another one than was asked for.
  ...["functions", "function_call", "audio", "web_search_options"].map(refused),
]);

const GOOGLE_FIELDS = ["thinking_config", "cached_content"];

/** OpenAI's names of service tiers, and Google's. https://ai.google.dev/gemini-api/docs/optimization */
const TIERS = new Map([
  ["default", "standard"],
  ["flex", "flex"],
  ["priority", "priority"],
]);

const MAX_STOPS = 5;

/**
 * `generationConfig` and other members of Gemini's request for all fields but the conversation, the tools and the
 * thinking. What would change the answer and can't be honoured throws `unsupported` with the field's name; all else
 * that Gemini doesn't know is named with `call.ignored`. https://ai.google.dev/api/generate-content
 */
export function parameters(request: ChatRequest, call: Pick<Call, "ignored">): Required<Mapped> {
  const config: Record<string, Json | undefined> = {};
  const body: Record<string, Json | undefined> = {};
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined || value === null) continue;
    const mapped = (RULES.get(name) ?? unknown)({ name, value, request, call });
    Object.assign(config, mapped.config);
    Object.assign(body, mapped.body);
  }
  return { config, body };
}

function elsewhere(name: string): [string, Rule] {
  return [name, () => ({})];
}

function unknown({ name, call }: Field): Mapped {
  return ignored(name, call);
}

function ignored(name: string, call: Pick<Call, "ignored">): Mapped {
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

/** The older name of the longest answer; the newer one wins. */
function maxTokens({ name, value, request, call }: Field): Mapped {
  if (!isNumber(value)) throw badRequest(name, "a number");
  const newer = request["max_completion_tokens"];
  if (newer === undefined || newer === null) return { config: { maxOutputTokens: value } };
  return newer === value ? {} : ignored(name, call);
}

function flag({ name, value }: Field): Mapped {
  if (typeof value !== "boolean") throw badRequest(name, "true or false");
  return value ? { config: { responseLogprobs: true } } : {};
}

/** Gemini takes their number only beside `responseLogprobs`. */
function topLogprobs({ name, value, request }: Field): Mapped {
  if (!isNumber(value)) throw badRequest(name, "a number");
  return request["logprobs"] !== true && Number(value) === 0 ? {} : { config: { logprobs: value } };
}

function stop({ value }: Field): Mapped {
  const sequences = Array.isArray(value) ? asArray(value) : [value];
  if (!sequences.every((sequence) => typeof sequence === "string")) {
    throw badRequest("stop", "a text or a list of texts");
  }
  if (sequences.length > MAX_STOPS) throw unsupported("stop", `Gemini takes ${MAX_STOPS} at most`);
  const stopSequences = sequences.filter((sequence) => sequence !== "");
  return stopSequences.length > 0 ? { config: { stopSequences } } : {};
}

function responseFormat({ value, call }: Field): Mapped {
  const type = asString(member(value, "type"));
  if (type === "text") return {};
  const config = { responseMimeType: "application/json" };
  if (type === "json_object") return { config };
  const asked = member(value, "json_schema");
  const schema = member(asked, "schema");
  if (type !== "json_schema") throw unsupported("response_format", `Gemini knows no format "${type}"`);
  if (!isObject(asked)) throw badRequest("response_format.json_schema", "an object");
  const path = "response_format.json_schema";
  // A schema is always binding here.
  membersNamed(asked, { known: ["name", "description", "schema", "strict"], path, call });
  if (schema === undefined) return { config };
  const responseJsonSchema = geminiSchema(schema, { path: `${path}.schema`, call });
  // Beside a `$ref` nothing else may stand.
  const labels = responseJsonSchema["$ref"]
    ? {}
    : { title: asked["name"], description: asked["description"] };
  return { config: { ...config, responseJsonSchema: { ...labels, ...responseJsonSchema } } };
}

function modalities({ value }: Field): Mapped {
  const kinds = asArray(value).map(String);
  if (kinds.some((kind) => kind !== "text" && kind !== "image")) {
    throw unsupported("modalities", "Gemini answers with text and, where the model can, with images");
  }
  return kinds.includes("image")
    ? { config: { responseModalities: kinds.map((kind) => kind.toUpperCase()) } }
    : {};
}

function serviceTier({ name, value, call }: Field): Mapped {
  if (value === "auto") return {};
  const tier = typeof value === "string" ? TIERS.get(value) : undefined;
  return tier ? { body: { serviceTier: tier } } : ignored(name, call);
}

function extraBody({ value, call }: Field): Mapped {
  membersNamed(value, { known: ["google"], path: "extra_body", call });
  return membersNamed(member(value, "google"), { known: GOOGLE_FIELDS, path: "extra_body.google", call });
}

function refused(name: string): [string, Rule] {
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

function membersNamed(value: Json | undefined, { known, path, call }: Members): Mapped {
  for (const [name, own] of Object.entries(isObject(value) ? value : {})) {
    if (!known.includes(name) && !isAbsent(own)) ignored(`${path}.${name}`, call);
  }
  return {};
}

/** `safetySettings`: those of the options, category by category overruled by the request's own. */
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
