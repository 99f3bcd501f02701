import { asArray, asString, isAbsent, isObject, member } from "modelyard/kit";
import type { ToolNameRule, ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { geminiSchema } from "./schema.ts";

interface ToolContext {
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/** The rule for function names that all Gemini models accept. */
export const TOOL_NAMES: ToolNameRule = {
  pattern: /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/,
  refused: /[^a-zA-Z0-9_.:-]/g,
  maxLength: 64,
};

/** Maps a request's functions and `tool_choice` to `tools` and `toolConfig`. */
export function toolFields(request: ChatRequest, context: ToolContext): JsonObject {
  const functionDeclarations = asArray(request["tools"]).map((tool, index) =>
    declaration(tool, index, context),
  );
  const config = toolChoice(request["tool_choice"], context);
  if (functionDeclarations.length === 0) {
    if (config && config["mode"] === "ANY")
      throw badRequest("tool_choice", "left out where there are no tools");
    return {};
  }
  return {
    tools: [{ functionDeclarations }],
    ...(config && { toolConfig: { functionCallingConfig: config } }),
  };
}

const FUNCTION_MEMBERS = new Set(["name", "description", "parameters"]);

function declaration(tool: Json, index: number, { names, call }: ToolContext): JsonObject {
  const place = `tools[${index}]`;
  const own = member(tool, "function");
  const type = asString(member(tool, "type")) || (isObject(own) ? "function" : "");
  if (type === "") throw badRequest(place, "a tool with a function");
  if (type !== "function") throw unsupported(place, `Gemini takes functions here, no tool of type "${type}"`);
  const name = asString(member(own, "name"));
  if (!isObject(own) || name === "") throw badRequest(`${place}.function.name`, "a function's name");
  for (const [field, value] of Object.entries(own)) {
    // Gemini always enforces the schema as far as it can.
    if (FUNCTION_MEMBERS.has(field) || isAbsent(value) || value === false) continue;
    call.ignored(`tools[].function.${field}`, "Gemini's functions have no such member");
  }
  const description = asString(own["description"]);
  return {
    name: names.toUpstream(name),
    ...(description !== "" && { description }),
    ...parametersOf(own["parameters"], place, call),
  };
}

function parametersOf(parameters: Json | undefined, place: string, call: ToolContext["call"]): JsonObject {
  // A function without parameters gets no schema: some models reject an object without properties.
  if (isAbsent(parameters) || parameters === undefined) return {};
  if (!isObject(parameters)) {
    call.ignored("tools[].function.parameters", "Gemini takes objects as schemas");
    return {};
  }
  const properties = member(parameters, "properties");
  const isEmpty = isObject(properties) && Object.keys(properties).length === 0;
  if (Object.keys(parameters).length === 0 || (isEmpty && !parameters["$ref"])) return {};
  return {
    parametersJsonSchema: geminiSchema(parameters, {
      path: `${place}.function.parameters`,
      type: "object",
      call,
    }),
  };
}

const MODES = new Map([
  ["auto", "AUTO"],
  ["none", "NONE"],
  ["required", "ANY"],
]);

/** https://ai.google.dev/api/caching#FunctionCallingConfig */
function toolChoice(choice: Json | undefined, { names }: ToolContext): JsonObject | undefined {
  if (choice === undefined || choice === null) return undefined;
  const mode = typeof choice === "string" ? MODES.get(choice) : undefined;
  if (mode) return { mode };
  const type = asString(member(choice, "type"));
  if (type === "function")
    return { mode: "ANY", allowedFunctionNames: [names.toUpstream(nameIn(choice, "tool_choice"))] };
  const allowed = member(choice, "allowed_tools");
  if (type === "allowed_tools" && asString(member(allowed, "mode")) === "required") {
    const allowedFunctionNames = asArray(member(allowed, "tools")).map((tool) =>
      names.toUpstream(nameIn(tool, "tool_choice.allowed_tools.tools")),
    );
    return { mode: "ANY", allowedFunctionNames };
  }
  throw unsupported(
    "tool_choice",
    "Gemini takes auto, none, required, a function, or allowed tools that are required",
  );
}

function nameIn(choice: Json, path: string): string {
  const name = asString(member(member(choice, "function"), "name"));
  if (name === "") throw badRequest(path, "one that names a function");
  return name;
}
