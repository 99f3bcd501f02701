import type { Capabilities } from "../contract/index.ts";
import type { RequestMembers } from "../json/request-members.ts";

/** A capability that a request requires of its model. */
export interface Need {
  readonly capability: "tools" | "vision" | "json_schema";
  /** The request field that requires it. */
  readonly param: string;
  readonly words: string;
}

/** Returns the capabilities that a chat request requires. */
export function requiredCapabilities(request: Pick<RequestMembers, "member">): readonly Need[] {
  const [tools, format] = [request.member("tools"), request.member("response_format")];
  const needs: Need[] = [];
  if (Array.isArray(tools) && tools.length > 0)
    needs.push({ capability: "tools", param: "tools", words: "tools" });
  const image = imageIn(request.member("messages"));
  if (image) needs.push({ capability: "vision", param: image, words: "images" });
  if (typeof format === "object" && format !== null && "type" in format && format["type"] === "json_schema") {
    needs.push({
      capability: "json_schema",
      param: "response_format",
      words: "a response_format of type json_schema",
    });
  }
  return needs;
}

/** Returns the first need that a model is known not to meet. Unknown capabilities are tried. */
export function missingCapability(capabilities: Capabilities, needs: readonly Need[]): Need | undefined {
  return needs.find(({ capability }) => capabilities[capability] === false);
}

/** Returns the path of the first image in a conversation. */
function imageIn(messages: unknown): string | undefined {
  if (!Array.isArray(messages)) return undefined;
  for (let index = 0; index < messages.length; index++) {
    // Only a chat request's messages were checked.
    const content = (messages[index] as { content?: unknown } | null)?.content;
    if (!Array.isArray(content)) continue;
    const part = content.findIndex((each: { type?: unknown } | null) => each?.type === "image_url");
    if (part >= 0) return `messages[${index}].content[${part}]`;
  }
  return undefined;
}

const ABILITIES = ["tools", "vision", "json_schema", "reasoning"] as const;
const LENGTHS = ["context", "output"] as const;

/**
 * Combines the capabilities of several targets: an ability of any of them, because requests go to those that have it; of
 * lengths the shortest, because any of them may answer.
 */
export function combined(models: readonly Capabilities[]): Capabilities {
  const [first = {}, ...others] = models;
  if (others.length === 0) return first;
  const abilities = ABILITIES.map((name) => [name, anyOf(models.map((model) => model[name]))]);
  const lengths = LENGTHS.map((name) => [name, shortest(models.map((model) => model[name]))]);
  return Object.fromEntries([...abilities, ...lengths].filter(([, value]) => value !== undefined));
}

function anyOf(values: readonly (boolean | undefined)[]): boolean | undefined {
  if (values.includes(true)) return true;
  return values.includes(undefined) ? undefined : false;
}

function shortest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
