import type { JsonObject } from "modelyard/plugin";

/** What of a Responses item a conversation can't carry. docs/dialects.md shows the same table to users. */
export interface LossyCase {
  /** The item's type, and the member. */
  readonly what: string;
  readonly becomes: string;
  /** Returns the item as it comes back; undefined where it doesn't. */
  readonly apply: (item: JsonObject) => JsonObject | undefined;
}

const ofType = (type: string, change: (item: JsonObject) => JsonObject | undefined) => (item: JsonObject) =>
  item["type"] === type ? change(item) : item;

const without = (item: JsonObject, ...names: string[]): JsonObject =>
  Object.fromEntries(Object.entries(item).filter(([name]) => !names.includes(name)));

const withParts = (item: JsonObject, change: (part: JsonObject) => JsonObject): JsonObject => ({
  ...item,
  ...(Array.isArray(item["content"]) && { content: (item["content"] as JsonObject[]).map(change) }),
});

/** Every loss of the way from items to a conversation and back. */
export const LOSSY: readonly LossyCase[] = [
  { what: "any item: `id`, `status`", becomes: "left out", apply: (item) => without(item, "id", "status") },
  {
    what: "message: `phase`",
    becomes: "left out",
    apply: ofType("message", (item) => without(item, "phase")),
  },
  {
    what: "message: `annotations` and `logprobs` of its texts",
    becomes: "left out",
    apply: ofType("message", (item) => withParts(item, (part) => without(part, "annotations", "logprobs"))),
  },
  {
    what: "message: a refusal",
    becomes: "a text",
    apply: ofType("message", (item) =>
      withParts(item, (part) =>
        part["type"] === "refusal" ? { type: "output_text", text: part["refusal"] } : part,
      ),
    ),
  },
  {
    what: "reasoning: `summary`",
    becomes: "the text that was thought",
    apply: ofType("reasoning", (item) => {
      const summary = item["summary"] as readonly JsonObject[];
      if (summary.length === 0) return item;
      return { ...item, summary: [], content: summary.map(({ text }) => ({ type: "reasoning_text", text })) };
    }),
  },
  {
    what: "reasoning: `encrypted_content` of another server",
    becomes: "left out, named `input[].reasoning.encrypted_content`",
    apply: ofType("reasoning", (item) =>
      typeof item["encrypted_content"] === "string" && !item["encrypted_content"].startsWith("mdy1.")
        ? without(item, "encrypted_content")
        : item,
    ),
  },
  {
    what: "items of hosted tools",
    becomes: "left out, named `input[].<type>`",
    apply: ofType("web_search_call", () => undefined),
  },
];
