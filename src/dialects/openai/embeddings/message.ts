import type { EmbedResult, JsonObject } from "../../../contract/index.ts";
import type { CountedUsage } from "../../../answer/answer-event.ts";
import { usageBody } from "../usage.ts";

/** The form in which a client wants vectors; `own`: as the upstream writes them. */
export type VectorEncoding = "float" | "base64" | "own";

export interface EmbeddingsAnswer {
  readonly result: EmbedResult;
  /** The name the client asked by, for where the upstream gives none. */
  readonly model: string;
  readonly encoding: VectorEncoding;
  readonly usage: CountedUsage;
}

/** OpenAI's list of embeddings. https://platform.openai.com/docs/api-reference/embeddings/object */
export function embeddingsBody({ result, model, encoding, usage }: EmbeddingsAnswer): JsonObject {
  const { prompt_tokens: prompt, total_tokens: total } = usageBody(usage.usage);
  return {
    ...result.fields,
    object: "list",
    data: result.vectors.map((vector, index) => ({
      object: "embedding",
      index,
      embedding: written(vector, encoding),
    })),
    model: result.model ?? model,
    usage: { prompt_tokens: prompt, total_tokens: total },
  };
}

function written(vector: EmbedResult["vectors"][number], encoding: VectorEncoding): string | number[] {
  if (typeof vector === "string") return vector;
  return encoding === "base64" ? base64(vector) : Array.from(vector);
}

/** 32 bit floats, little endian, as OpenAI's SDKs decode them. */
function base64(vector: readonly number[] | Float32Array): string {
  const bytes = Buffer.allocUnsafe(vector.length * 4);
  for (let i = 0; i < vector.length; i++) bytes.writeFloatLE(vector[i] ?? 0, i * 4);
  return bytes.toString("base64");
}

export const EMBEDDINGS_SCHEMA = {
  type: "object",
  properties: {
    object: { const: "list" },
    data: {
      type: "array",
      items: {
        type: "object",
        properties: {
          object: { const: "embedding" },
          index: { type: "integer" },
          embedding: { oneOf: [{ type: "array", items: { type: "number" } }, { type: "string" }] },
        },
      },
    },
    model: { type: "string" },
    usage: {
      type: "object",
      properties: { prompt_tokens: { type: "integer" }, total_tokens: { type: "integer" } },
    },
  },
};
