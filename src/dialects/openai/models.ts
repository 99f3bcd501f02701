import type { JsonObject } from "../../contract/index.ts";
import type { ModelEndpoint, ModelListEndpoint, OfferedModel } from "../dialect.ts";
import { jsonAnswer } from "../operation-document.ts";

/** OpenAI's model object, and `capabilities` where any are known. https://platform.openai.com/docs/api-reference/models/object */
function modelObject({ id, created, ownedBy, capabilities }: OfferedModel): JsonObject {
  // The field must be an integer of seconds: LobeChat takes 13 digits for milliseconds.
  const own = { id, object: "model", created: created ?? 0, owned_by: ownedBy };
  return capabilities ? { ...own, capabilities: { ...capabilities } } : own;
}

const MODEL_SCHEMA = {
  type: "object",
  properties: {
    id: { type: "string" },
    object: { const: "model" },
    created: { type: "integer" },
    owned_by: { type: "string" },
    capabilities: {
      type: "object",
      description: "What it can do, as far as its upstreams say; lengths in tokens",
      properties: {
        tools: { type: "boolean" },
        vision: { type: "boolean" },
        json_schema: { type: "boolean" },
        reasoning: { type: "boolean" },
        context: { type: "integer" },
        output: { type: "integer" },
      },
    },
  },
};

/** OpenAI's list of models. */
export const models: ModelListEndpoint = {
  kind: "models",
  path: "/v1/models",
  document: {
    summary: "List the models this key may use",
    answer: jsonAnswer("The list", {
      type: "object",
      properties: { object: { const: "list" }, data: { type: "array", items: MODEL_SCHEMA } },
    }),
  },
  write: (all) => ({ object: "list", data: all.map(modelObject) }),
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
