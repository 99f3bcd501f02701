import { asArray, asObject, asString, isAbsent } from "modelyard/kit";
import type { ToolNameRule, ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { toStrictSchema, reportDropped, validSchema, flattenTopLevelChoices } from "./schema.ts";
import type { Traits } from "../traits.ts";

/** `tools` and `tool_choice` of a request. */
export interface Tools {
  readonly tools?: readonly Json[];
  readonly tool_choice?: JsonObject;
}

/** https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use#specifying-client-tools */
export const TOOL_NAMES: ToolNameRule = {
  pattern: /^[a-zA-Z0-9_-]{1,128}$/,
  refused: /[^a-zA-Z0-9_-]/g,
  maxLength: 128,
};

interface ToolContext {
  readonly traits: Traits;
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/** Maps tools and `tool_choice`. Throws `unsupported` or `bad-request` for those without a counterpart. */
export function mapTools(request: ChatRequest, way: ToolContext): Tools {
  const tools = asArray(request["tools"]).map((tool, index) => toolOf(tool, `tools[${index}]`, way));
  const choice = choiceOf(request["tool_choice"], way);
  const isSerial = request["parallel_tool_calls"] === false;
  if (tools.length === 0) {
    if (choice && isForcedChoice(choice))
      throw badRequest("tool_choice demands a tool, and there are none", "tool_choice");
    return {};
  }
  // No choice means "auto"; `disable_parallel_tool_use` needs a choice.
  const selected = choice ?? (isSerial ? { type: "auto" } : undefined);
  if (!selected) return { tools };
  const isMarked = isSerial && selected["type"] !== "none";
  return { tools, tool_choice: { ...selected, ...(isMarked && { disable_parallel_tool_use: true }) } };
}

/** Returns whether a choice forces a tool call. */
export function isForcedChoice(choice: JsonObject | undefined): boolean {
  return choice?.["type"] === "any" || choice?.["type"] === "tool";
}

/** Anthropic's own members of a tool, accepted beside `function` and in it. */
export const NATIVE_MEMBERS = [
  "cache_control",
  "defer_loading",
  "eager_input_streaming",
  "input_examples",
  "allowed_callers",
];
const KNOWN_OF_TOOLS = new Set(["type", "function", ...NATIVE_MEMBERS]);
const KNOWN_OF_FUNCTIONS = new Set(["name", "description", "parameters", "strict", ...NATIVE_MEMBERS]);

/** Maps an OpenAI function; any other tool is Anthropic's own (`web_search_20250305` …) and is passed on unchanged. */
function toolOf(value: Json, place: string, way: ToolContext): Json {
  const tool = asObject(value);
  const definition = asObject(tool?.["function"]);
  if (!tool || (tool["type"] === "function" && !definition))
    throw badRequest("a tool needs a function", place);
  if (asObject(tool["custom"]))
    throw unsupported("takes no tools of type custom with a grammar of their own", place);
  if (!definition) return value;
  reportUnknown(tool, { known: KNOWN_OF_TOOLS, place: "tools[]" }, way.call);
  reportUnknown(definition, { known: KNOWN_OF_FUNCTIONS, place: "tools[].function" }, way.call);
  const { description, parameters } = definition;
  const name = asString(definition["name"]);
  if (name === "") throw badRequest("a tool needs a name", `${place}.function.name`);
  if (!isAbsent(parameters) && !asObject(parameters))
    way.call.ignored("tools[].function.parameters", "this API takes objects as schemas");
  return {
    name: way.names.toUpstream(name),
    ...(!isAbsent(description) && { description }),
    ...inputSchema(asObject(parameters), definition["strict"] === true, way),
    ...nativeMembers(tool, definition),
  };
}

function inputSchema(
  parameters: JsonObject | undefined,
  isStrict: boolean,
  { traits, call }: ToolContext,
): JsonObject {
  const place = "tools[].function.parameters";
  const at = { place, type: "object" as const, call };
  const schema = flattenTopLevelChoices(validSchema(parameters ?? { properties: {} }, at), at);
  if (!isStrict) return { input_schema: schema };
  if (!traits.structured) {
    call.ignored("tools[].function.strict", "this model has no strict tools");
    return { input_schema: schema };
  }
  const fitted = toStrictSchema(schema);
  reportDropped(fitted.dropped, place, call);
  return { input_schema: fitted.schema, strict: true };
}

function nativeMembers(tool: JsonObject, definition: JsonObject): JsonObject {
  const members = NATIVE_MEMBERS.map((name) => [name, definition[name] ?? tool[name]] as const);
  return Object.fromEntries(members.filter(([, value]) => !isAbsent(value)));
}

function reportUnknown(
  members: JsonObject,
  { known, place }: { known: ReadonlySet<string>; place: string },
  call: ToolContext["call"],
): void {
  for (const [name, value] of Object.entries(members)) {
    if (!known.has(name) && !isAbsent(value))
      call.ignored(`${place}.${name}`, "tools of this API have no such member");
  }
}

const CHOICES = new Map([
  ["auto", "auto"],
  ["none", "none"],
  ["required", "any"],
]);

function choiceOf(value: ChatRequest[string], { traits, names }: ToolContext): JsonObject | undefined {
  if (isAbsent(value)) return undefined;
  const choice = typeof value === "string" ? choiceFromWord(value) : choiceFromObject(asObject(value));
  if (!choice) throw unsupported("knows no such tool_choice", "tool_choice");
  if (isForcedChoice(choice) && !traits.forcedTools)
    throw unsupported("can't demand a tool call of this model", "tool_choice");
  const name = asString(choice["name"]);
  return name === "" ? choice : { ...choice, name: names.toUpstream(name) };
}

function choiceFromWord(word: string): JsonObject | undefined {
  const type = CHOICES.get(word);
  return type === undefined ? undefined : { type };
}

function choiceFromObject(choice: JsonObject | undefined): JsonObject | undefined {
  if (choice?.["type"] === "function") return namedTool(asString(asObject(choice["function"])?.["name"]));
  // Anthropic's own form.
  return /^(auto|any|tool|none)$/.test(asString(choice?.["type"])) ? choice : undefined;
}

function namedTool(name: string): JsonObject {
  if (name === "") throw badRequest("tool_choice needs the name of its function", "tool_choice");
  return { type: "tool", name };
}
