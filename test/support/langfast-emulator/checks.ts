import type { Json, JsonObject } from "../../../src/contract/json.ts";
import { Refusal, Violation } from "./refusal.ts";
import { isObject } from "./text.ts";

interface Family {
  readonly roles: readonly string[];
  readonly parameters: readonly string[];
  readonly formats: readonly string[];
  /** The highest `max_completion_tokens`. */
  readonly output: number;
}

const SAMPLING = ["temperature", "top_p", "presence_penalty", "frequency_penalty"];
const SYSTEM = ["system", "user", "assistant"];
const DEVELOPER = ["developer", "user", "assistant"];
const FORMATS = ["text", "json_object", "json_schema"];

const FAMILIES: Readonly<Record<string, Family>> = {
  "gpt-4.1": { roles: SYSTEM, parameters: SAMPLING, formats: FORMATS, output: 32_768 },
  "gpt-4o": { roles: SYSTEM, parameters: SAMPLING, formats: FORMATS, output: 16_384 },
  "gpt-4": { roles: SYSTEM, parameters: SAMPLING, formats: ["text", "json_object"], output: 4_096 },
  "o1-mini": { roles: ["user", "assistant"], parameters: [], formats: ["text"], output: 65_536 },
  o: { roles: DEVELOPER, parameters: ["reasoning_effort"], formats: FORMATS, output: 100_000 },
  "gpt-5": {
    roles: DEVELOPER,
    parameters: ["reasoning_effort", "verbosity", "summary"],
    formats: FORMATS,
    output: 128_000,
  },
};

/** Each model of the service and the family whose rules it follows. */
const MODELS: Readonly<Record<string, keyof typeof FAMILIES>> = {
  "gpt-5": "gpt-5",
  "gpt-5-mini": "gpt-5",
  "gpt-5-nano": "gpt-5",
  "gpt-4.5-preview": "gpt-4o",
  "gpt-4.1": "gpt-4.1",
  "gpt-4.1-mini": "gpt-4.1",
  "gpt-4.1-nano": "gpt-4.1",
  "gpt-4o": "gpt-4o",
  "gpt-4o-mini": "gpt-4o",
  o1: "o",
  "o1-mini": "o1-mini",
  o3: "o",
  "o3-mini": "o",
  "o4-mini": "o",
  "gpt-4-turbo": "gpt-4",
  "gpt-4": "gpt-4",
  "gpt-3.5-turbo": "gpt-4",
};

/** The models that an anonymous user can be refused. */
export const PREMIUM: readonly Json[] = ["gpt-4.5-preview", "gpt-4-turbo", "gpt-4"];

const EVERYWHERE = ["model", "messages", "stream", "response_format", "max_completion_tokens"];
const NUMBERS = [...SAMPLING, "max_completion_tokens"];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The body of initiate-prompt-run, checked. */
export interface InitiateBody {
  readonly runId: string;
  readonly promptId: string;
  readonly promptMeta: JsonObject;
  readonly testCases: readonly Json[];
  readonly createdBy: string;
}

/** Checks the form of an initiate-prompt-run body: a Violation for what no client should send, a Refusal for a client's client's fault. */
export function checkInitiate(body: unknown): InitiateBody {
  if (!isObject(body)) throw new Violation(400, "initiate-prompt-run: no JSON object");
  known(body, ["run_id", "prompt_id", "prompt_meta", "test_cases", "created_by"], "initiate-prompt-run");
  const testCases = body["test_cases"];
  if (!Array.isArray(testCases)) throw new Violation(400, "test_cases is no array");
  return {
    runId: uuid(body, "run_id"),
    promptId: uuid(body, "prompt_id"),
    createdBy: uuid(body, "created_by"),
    promptMeta: checkPromptMeta(body["prompt_meta"]),
    testCases: testCases.map(checkTestCase),
  };
}

/** Checks the body of rpc/create_prompt. */
export function checkCreatePrompt(body: unknown): void {
  if (!isObject(body)) throw new Violation(400, "create_prompt: no JSON object");
  known(body, ["p_name", "p_icon", "p_meta", "p_test_cases"], "create_prompt");
  if (typeof body["p_name"] !== "string") throw new Violation(400, "p_name is no string");
  if (body["p_icon"] !== "openai") throw new Violation(400, "p_icon is not openai");
  checkPromptMeta(body["p_meta"]);
  const testCases = body["p_test_cases"];
  if (!Array.isArray(testCases)) throw new Violation(400, "p_test_cases is no array");
  testCases.forEach(checkTestCase);
}

function checkTestCase(testCase: Json): Json {
  const isWell =
    isObject(testCase) && typeof testCase["name"] === "string" && Array.isArray(testCase["variables"]);
  if (!isWell) throw new Violation(400, `not a test case: ${JSON.stringify(testCase)}`);
  return testCase;
}

function checkPromptMeta(meta: Json | undefined): JsonObject {
  if (!isObject(meta)) throw new Violation(400, "the prompt's meta is no object");
  const { model } = meta;
  if (typeof model !== "string") throw new Violation(400, "no model given");
  const family = FAMILIES[MODELS[model] ?? ""];
  if (!family) throw new Refusal(400, `unknown model ${model}`);
  known(meta, [...EVERYWHERE, ...family.parameters], `prompt_meta of ${model}`);
  if (meta["stream"] !== true) throw new Violation(400, "stream is not true");
  checkMessages(meta["messages"], family);
  checkParameters(meta, family);
  return meta;
}

function checkMessages(messages: Json | undefined, family: Family): void {
  if (!Array.isArray(messages)) throw new Violation(400, "messages is no array");
  if (messages.length === 0) throw new Refusal(400, "messages is empty");
  for (const message of messages as readonly Json[]) {
    if (!isObject(message)) throw new Violation(400, "a message is no object");
    const role = word(message["role"]);
    const content = message["content"];
    if (!family.roles.includes(role)) throw new Violation(400, `role ${role} not taken`);
    const hasContent = typeof content === "string" || Array.isArray(content);
    if (!hasContent) throw new Violation(400, `a message of ${role} without content`);
  }
}

function checkParameters(meta: JsonObject, family: Family): void {
  for (const name of NUMBERS) {
    const value = meta[name];
    if (value !== undefined && typeof value !== "number") throw new Refusal(400, `${name} is no number`);
  }
  const most = Number(meta["max_completion_tokens"] ?? 0);
  if (most > family.output) throw new Violation(400, `max_completion_tokens above ${family.output}`);
  const format = meta["response_format"] ?? "text";
  const name = isObject(format) ? format["type"] : format;
  if (!family.formats.includes(word(name))) {
    throw new Violation(400, `response_format ${JSON.stringify(format)} not taken`);
  }
}

function word(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

function known(body: JsonObject, names: readonly string[], where: string): void {
  const strange = Object.keys(body).filter((name) => !names.includes(name));
  if (strange.length > 0) throw new Violation(400, `${where} doesn't take ${strange.join(", ")}`);
}

function uuid(body: JsonObject, name: string): string {
  const value = body[name];
  if (typeof value !== "string" || !UUID.test(value)) throw new Violation(400, `${name} is no UUID`);
  return value;
}
