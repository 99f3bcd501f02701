import type { Json, JsonObject } from "../../../contract/index.ts";
import { shortName } from "../../fitting/short-name.ts";
import type { Given } from "../../fitting/values.ts";
import { invalid, listOf, objectAt, others, textAt, textIn } from "../../fitting/values.ts";

const OF_FUNCTIONS = new Set(["type", "name", "description", "input_schema", "strict"]);

/**
 * Returns a request's `tools`, `tool_choice` and `parallel_tool_calls` as chat completions have them. Tools of the API
 * itself (`web_search_20250305` …) stay as they are, and so do Anthropic's own members of the others.
 */
export function toolMembers({ tools, tool_choice: choice }: JsonObject): JsonObject {
  const all = listOf(tools).map((tool, index) => toolOf(tool, `tools[${index}]`));
  const isSerial = isObjectWith(choice, "disable_parallel_tool_use");
  return {
    ...(all.length > 0 && { tools: all }),
    ...(choice !== undefined &&
      choice !== null && { tool_choice: choiceOf(objectAt(choice, "tool_choice")) }),
    ...(isSerial && { parallel_tool_calls: false }),
  };
}

/** Returns the names that `toolMembers` shortens, by what they become. */
export function shortenedNames({ tools }: JsonObject): ReadonlyMap<string, string> {
  const names = listOf(tools).map(({ name }) => textIn(name));
  return new Map(names.filter((name) => shortName(name) !== name).map((name) => [shortName(name), name]));
}

function isObjectWith(value: Given, name: string): boolean {
  return typeof value === "object" && value !== null && (value as JsonObject)[name] === true;
}

function toolOf(tool: JsonObject, path: string): Json {
  const { type, description, input_schema: schema, strict } = tool;
  if (type !== undefined && type !== null && type !== "custom") return tool;
  return {
    type: "function",
    function: {
      name: shortName(textAt(tool["name"], `${path}.name`)),
      ...(typeof description === "string" && { description }),
      ...(schema !== undefined && schema !== null && { parameters: withoutDialect(schema, path) }),
      ...(typeof strict === "boolean" && { strict }),
    },
    ...others(tool, OF_FUNCTIONS),
  };
}

/** Which draft of JSON Schema it is written in is no upstream's concern, and some refuse it. */
function withoutDialect(schema: Json, path: string): JsonObject {
  const { $schema: _, ...rest } = objectAt(schema, `${path}.input_schema`);
  return rest;
}

function choiceOf(choice: JsonObject): Json {
  switch (textIn(choice["type"])) {
    case "auto":
      return "auto";
    case "any":
      return "required";
    case "none":
      return "none";
    case "tool":
      return { type: "function", function: { name: shortName(textAt(choice["name"], "tool_choice.name")) } };
    default:
      throw invalid("tool_choice.type", "expected auto, any, tool or none");
  }
}
