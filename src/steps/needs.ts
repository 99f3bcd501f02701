import type { Capabilities } from "../contract/index.ts";

/** Something that a request asks of a model, and not every model can do. */
export interface Need {
  readonly capability: "tools" | "vision" | "json_schema";
  /** The request field that asks for it. */
  readonly param: string;
  readonly words: string;
}

/** What a chat request needs of its model. */
export function needsOf(request: object): readonly Need[] {
  const { tools, messages, response_format: format } = request as Record<string, unknown>;
  const needs: Need[] = [];
  if (Array.isArray(tools) && tools.length > 0)
    needs.push({ capability: "tools", param: "tools", words: "tools" });
  const image = imageIn(messages);
  if (image) needs.push({ capability: "vision", param: image, words: "images" });
  if (typeof format === "object" && format !== null && "type" in format && format.type === "json_schema") {
    needs.push({
      capability: "json_schema",
      param: "response_format",
      words: "a response_format of type json_schema",
    });
  }
  return needs;
}

/** The first need that a model is known not to meet. What isn't known is tried. */
export function lackOf(capabilities: Capabilities, needs: readonly Need[]): Need | undefined {
  return needs.find(({ capability }) => capabilities[capability] === false);
}

/** The path of the first image in a conversation. */
function imageIn(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return undefined;
  for (const [index, message] of messages.entries()) {
    const { content } = message as { content?: unknown };
    if (!Array.isArray(content)) continue;
    const part = content.findIndex((candidate) => (candidate as { type?: unknown }).type === "image_url");
    if (part >= 0) return `messages[${index}].content[${part}]`;
  }
  return undefined;
}
