import { asArray, asObject, asString, isAbsent } from "modelyard/kit";
import type { ToolNameRule, ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { fitSchema, nameDropped, soundSchema, withoutTopChoices } from "./schema.ts";
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

interface Way {
  readonly traits: Traits;
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/** The tools and their choice in Anthropic's form. Throws `unsupported` or `bad-request` where there is none. */
export function mapTools(request: ChatRequest, way: Way): Tools {
  const tools = asArray(request["tools"]).map((tool, index) => toolOf(tool, `tools[${index}]`, way));
  const choice = choiceOf(request["tool_choice"], way);
  const isSerial = request["parallel_tool_calls"] === false;
  if (tools.length === 0) {
    if (choice && isDemand(choice))
      throw badRequest("tool_choice demands a tool, and there are none", "tool_choice");
    return {};
  }
  // No choice is the same as "auto", and only a choice can say that one call is enough.
  const said = choice ?? (isSerial ? { type: "auto" } : undefined);
  if (!said) return { tools };
  const isMarked = isSerial && said["type"] !== "none";
  return { tools, tool_choice: { ...said, ...(isMarked && { disable_parallel_tool_use: true }) } };
}

/** Whether a choice demands a tool call. */
export function isDemand(choice: JsonObject | undefined): boolean {
  return choice?.["type"] === "any" || choice?.["type"] === "tool";
}

/** Anthropic's own members of a tool, which may stand beside `function` or in it. */
const OWN = ["cache_control", "defer_loading", "eager_input_streaming", "input_examples", "allowed_callers"];
const KNOWN_OF_TOOLS = new Set(["type", "function", ...OWN]);
const KNOWN_OF_FUNCTIONS = new Set(["name", "description", "parameters", "strict", ...OWN]);

/** A function of OpenAI's; any other tool is Anthropic's own (`web_search_20250305` …) and goes as it is. */
function toolOf(value: Json, place: string, way: Way): Json {
  const tool = asObject(value);
  const definition = asObject(tool?.["function"]);
  if (!tool || (tool["type"] === "function" && !definition))
    throw badRequest("a tool needs a function", place);
  if (asObject(tool["custom"]))
    throw unsupported("takes no tools of type custom with a grammar of their own", place);
  if (!definition) return value;
  nameUnknown(tool, { known: KNOWN_OF_TOOLS, place: "tools[]" }, way.call);
  nameUnknown(definition, { known: KNOWN_OF_FUNCTIONS, place: "tools[].function" }, way.call);
  const { description, parameters } = definition;
  const name = asString(definition["name"]);
  if (name === "") throw badRequest("a tool needs a name", `${place}.function.name`);
  if (!isAbsent(parameters) && !asObject(parameters))
    way.call.ignored("tools[].function.parameters", "this API takes objects as schemas");
  return {
    name: way.names.toUpstream(name),
    ...(!isAbsent(description) && { description }),
    ...inputSchema(asObject(parameters), definition["strict"] === true, way),
    ...ownMembers(tool, definition),
  };
}

function inputSchema(
  parameters: JsonObject | undefined,
  isStrict: boolean,
  { traits, call }: Way,
): JsonObject {
  const place = "tools[].function.parameters";
  const at = { place, type: "object" as const, call };
  const schema = withoutTopChoices(soundSchema(parameters ?? { properties: {} }, at), at);
  if (!isStrict) return { input_schema: schema };
  if (!traits.structured) {
    call.ignored("tools[].function.strict", "this model has no strict tools");
    return { input_schema: schema };
  }
  const fitted = fitSchema(schema);
  nameDropped(fitted.dropped, place, call);
  return { input_schema: fitted.schema, strict: true };
}

function ownMembers(tool: JsonObject, definition: JsonObject): JsonObject {
  const said = OWN.map((name) => [name, definition[name] ?? tool[name]] as const);
  return Object.fromEntries(said.filter(([, value]) => !isAbsent(value)));
}

function nameUnknown(
  members: JsonObject,
  { known, place }: { known: ReadonlySet<string>; place: string },
  call: Way["call"],
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

function choiceOf(value: ChatRequest[string], { traits, names }: Way): JsonObject | undefined {
  if (isAbsent(value)) return undefined;
  const choice = typeof value === "string" ? wordOf(value) : nameOf(asObject(value));
  if (!choice) throw unsupported("knows no such tool_choice", "tool_choice");
  if (isDemand(choice) && !traits.forcedTools)
    throw unsupported("can't demand a tool call of this model", "tool_choice");
  const name = asString(choice["name"]);
  return name === "" ? choice : { ...choice, name: names.toUpstream(name) };
}

function wordOf(word: string): JsonObject | undefined {
  const type = CHOICES.get(word);
  return type === undefined ? undefined : { type };
}

function nameOf(choice: JsonObject | undefined): JsonObject | undefined {
  if (choice?.["type"] === "function") return namedTool(asString(asObject(choice["function"])?.["name"]));
  // Anthropic's own form.
  return /^(auto|any|tool|none)$/.test(asString(choice?.["type"])) ? choice : undefined;
}

function namedTool(name: string): JsonObject {
  if (name === "") throw badRequest("tool_choice needs the name of its function", "tool_choice");
  return { type: "tool", name };
}
