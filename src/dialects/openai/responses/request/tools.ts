import type { JsonObject } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";
import { shortName } from "../../../fitting/short-name.ts";
import { invalid, picked, textIn } from "../../../fitting/values.ts";
import type { ResponsesBody } from "./schema.ts";

/** What a function of the canonical request stands for. */
export interface RaisedTool {
  readonly type: "function" | "custom";
  readonly name: string;
  readonly namespace: string | undefined;
}

/**
 * The tools of a request as functions, which is all that every upstream knows, and the way back from a function's name to
 * the tool that it stands for.
 */
export class Tools {
  /** For `tools` of the canonical request. */
  readonly functions: JsonObject[] = [];
  /** The types of tools that the gateway can't have run, which are left out. */
  readonly hosted = new Set<string>();
  /** Whether a grammar became words. */
  hasGrammar = false;
  readonly #byName = new Map<string, RaisedTool>();

  /** Throws a GatewayError that names the tool at fault. */
  constructor(tools: ResponsesBody["tools"]) {
    for (const [index, tool] of (tools ?? []).entries()) this.#add(tool as JsonObject, `tools[${index}]`);
  }

  /** Returns what a call of a function is a call of. */
  raise(name: string): RaisedTool {
    return this.#byName.get(name) ?? { type: "function", name, namespace: undefined };
  }

  /** Returns the function that stands for a tool; also for one that is in the history only. */
  nameOf(name: string, namespace: string | undefined): string {
    return shortName(namespace === undefined ? name : `${namespace}__${name}`);
  }

  #add(tool: JsonObject, place: string, namespace?: string): void {
    const { type, name, tools } = tool;
    if (type === "namespace" && typeof name === "string" && Array.isArray(tools)) {
      tools.forEach((each, index) => {
        if (isObject(each)) this.#add(each, `${place}.tools[${index}]`, name);
      });
    } else if (type === "function" || type === "custom") {
      if (typeof name !== "string") throw invalid(`${place}.name`, "expected the name of a tool");
      const lowered = this.nameOf(name, namespace);
      if (this.#byName.has(lowered)) throw invalid(`${place}.name`, `another tool is called ${lowered}, too`);
      this.#byName.set(lowered, { type, name, namespace });
      this.functions.push({ type: "function", function: this.#lower(tool, lowered) });
    } else if (typeof type === "string") this.hosted.add(type);
  }

  #lower(tool: JsonObject, name: string): JsonObject {
    if (tool["type"] === "custom") return { name, ...this.#textTool(tool) };
    return { name, ...picked(tool, ["description", "parameters", "strict"]) };
  }

  /** A custom tool takes a text as it is: as a function, the text is its one parameter. */
  #textTool({ description, format }: JsonObject): JsonObject {
    const said = typeof description === "string" ? [description] : [];
    if (isObject(format) && format["type"] === "grammar") {
      const { syntax, definition } = format;
      this.hasGrammar = true;
      said.push(`\`input\` must match this ${textIn(syntax)} grammar:\n${textIn(definition)}`);
    }
    return {
      ...(said.length > 0 && { description: said.join("\n\n") }),
      parameters: {
        type: "object",
        properties: { input: { type: "string", description: "The tool's whole input, as plain text" } },
        required: ["input"],
        additionalProperties: false,
      },
    };
  }

  /**
   * Returns `tools` and `tool_choice`, without a choice where no function is left: chat completions refuse that. Undefined
   * where the choice demands a hosted tool.
   */
  choose(choice: ResponsesBody["tool_choice"]): JsonObject | undefined {
    const hasFunctions = this.functions.length > 0;
    const tools = hasFunctions ? { tools: this.functions } : {};
    if (choice === undefined || choice === null) return tools;
    if (typeof choice === "string") {
      if (hasFunctions) return { ...tools, tool_choice: choice };
      return choice === "required" && this.hosted.size > 0 ? undefined : {};
    }
    const { type, mode, tools: allowed } = choice as JsonObject;
    if (type === "allowed_tools" && Array.isArray(allowed)) {
      const names = new Set(allowed.filter(isObject).map((each) => this.#chosen(each)));
      const left = this.functions.filter((tool) => names.has(nameIn(tool)));
      if (left.length > 0) return { tools: left, tool_choice: mode ?? "auto" };
      return mode === "required" ? undefined : {};
    }
    const name = type === "function" || type === "custom" ? this.#chosen(choice as JsonObject) : undefined;
    return name === undefined
      ? undefined
      : { ...tools, tool_choice: { type: "function", function: { name } } };
  }

  #chosen({ name, namespace }: JsonObject): string | undefined {
    if (typeof name !== "string") return undefined;
    return this.nameOf(name, typeof namespace === "string" ? namespace : undefined);
  }
}

function nameIn({ function: invoked }: JsonObject): string | undefined {
  const name = isObject(invoked) ? invoked["name"] : undefined;
  return typeof name === "string" ? name : undefined;
}
