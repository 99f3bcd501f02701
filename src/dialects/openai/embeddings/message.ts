import type { EmbedResult, JsonObject } from "../../../contract/index.ts";
import type { CountedUsage } from "../../../answer/answer-event.ts";
import { usageBody } from "../usage.ts";
import type { VectorEncoding } from "./request.ts";

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
