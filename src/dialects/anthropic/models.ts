import type { JsonObject } from "../../contract/index.ts";
import type { ModelEndpoint, ModelListEndpoint, OfferedModel } from "../dialect.ts";
import { jsonAnswer } from "../operation-document.ts";

/** Returns Anthropic's object for a model. https://platform.claude.com/docs/en/api/models/list */
function modelObject({ id, created, capabilities }: OfferedModel): JsonObject {
  const { context, output } = capabilities ?? {};
  return {
    type: "model",
    id,
    display_name: id,
    created_at: new Date((created ?? 0) * 1000).toISOString().replace(".000Z", "Z"),
    ...(context !== undefined && { max_input_tokens: context }),
    ...(output !== undefined && { max_tokens: output }),
  };
}

const MODEL_SCHEMA = {
  type: "object",
  properties: {
    type: { const: "model" },
    id: { type: "string" },
    display_name: { type: "string" },
    created_at: { type: "string", format: "date-time" },
    max_input_tokens: { type: "integer", description: "The longest conversation, where it is known" },
    max_tokens: { type: "integer", description: "The longest answer, where it is known" },
  },
};

/** The models of a page, and whether there are more behind it. */
interface Page {
  readonly models: readonly OfferedModel[];
  readonly hasMore: boolean;
}

/** Models on a page that asks for no other number: all. Claude Code asks for one page and reads no other. */
function pageOf(models: readonly OfferedModel[], query: URLSearchParams): Page {
  const place = (name: string) => models.findIndex(({ id }) => id === query.get(name));
  const [after, before] = [place("after_id"), place("before_id")];
  const limit = Number(query.get("limit") ?? "") || models.length;
  if (before >= 0) {
    const start = Math.max(0, before - limit);
    return { models: models.slice(start, before), hasMore: start > 0 };
  }
  const start = after + 1;
  return { models: models.slice(start, start + limit), hasMore: start + limit < models.length };
}

/** Anthropic's list of models. */
export const models: ModelListEndpoint = {
  kind: "models",
  path: "/v1/models",
  document: {
    summary: "List the models this key may use",
    parameters: [
      { name: "limit", in: "query", schema: { type: "integer" } },
      { name: "after_id", in: "query", schema: { type: "string" } },
      { name: "before_id", in: "query", schema: { type: "string" } },
    ],
    answer: jsonAnswer("The list", {
      type: "object",
      properties: {
        data: { type: "array", items: MODEL_SCHEMA },
        has_more: { type: "boolean" },
        first_id: { type: ["string", "null"] },
        last_id: { type: ["string", "null"] },
      },
    }),
  },
  write(all, query) {
    const { models: page, hasMore } = pageOf(all, query);
    return {
      data: page.map(modelObject),
      has_more: hasMore,
      first_id: page[0]?.id ?? null,
      last_id: page.at(-1)?.id ?? null,
    };
  },
};

/** One of them. */
export const model: ModelEndpoint = {
  kind: "model",
  path: "/v1/models/*",
  document: {
    summary: "Show one model",
    parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
    answer: jsonAnswer("The model", MODEL_SCHEMA),
  },
  write: modelObject,
};
