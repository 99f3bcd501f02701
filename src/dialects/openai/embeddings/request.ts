import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { EmbedInput, EmbedRequest, EmbedResult, JsonObject } from "../../../contract/index.ts";
import { keepMeaning } from "../../../json/source.ts";
import { explain, Nullable } from "../../explain.ts";
import { VectorRequest } from "../../model-request.ts";
import type { CountedUsage } from "../../../answer/answer-event.ts";
import { embeddingsBody } from "./message.ts";
import type { VectorEncoding } from "./message.ts";

/** https://platform.openai.com/docs/api-reference/embeddings/create */
export const EmbeddingsRequestSchema = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 256, description: "One of the ids of GET /v1/models" }),
  input: Type.Union(
    [
      Type.String({ minLength: 1 }),
      Type.Array(Type.String(), { minItems: 1 }),
      Type.Array(Type.Integer(), { minItems: 1 }),
      Type.Array(Type.Array(Type.Integer(), { minItems: 1 }), { minItems: 1 }),
      Type.Array(Type.Union([Type.String(), Type.Object({})]), { minItems: 1 }),
      Type.Object({}),
    ],
    {
      description: "A text, a list of texts, texts as token numbers, or objects for upstreams that know them",
    },
  ),
  encoding_format: Nullable(
    Type.String({
      description: "How vectors are written: float, base64, or what the upstream has beside these",
    }),
  ),
});

const compiled = TypeCompiler.Compile(EmbeddingsRequestSchema);

/** What was asked, and the form in which the client wants the vectors, whatever the upstream gives. */
class EmbeddingsRequest extends VectorRequest {
  readonly #encoding: VectorEncoding;

  constructor(body: EmbedRequest, encoding: VectorEncoding) {
    super(body);
    this.#encoding = encoding;
  }

  withInputs(inputs: EmbedRequest["input"]): EmbeddingsRequest {
    return new EmbeddingsRequest({ ...this.body, input: inputs }, this.#encoding);
  }

  answer(result: EmbedResult, usage: CountedUsage): JsonObject {
    return embeddingsBody({ result, model: this.model, encoding: this.#encoding, usage });
  }
}

/** The client's body, checked; throws a GatewayError that names the field at fault. */
export function parseEmbeddingsRequest(body: unknown): EmbeddingsRequest {
  if (!compiled.Check(body)) throw explain(compiled, body);
  const { encoding_format: encoding = "float", input, ...rest } = body;
  const asked = { ...rest, input: listed(input as EmbedInput | EmbedInput[]) };
  if (encoding === null || encoding === "float" || encoding === "base64")
    return new EmbeddingsRequest(keepMeaning(asked), encoding ?? "float");
  return new EmbeddingsRequest(keepMeaning({ ...asked, encoding_format: encoding }), "own");
}

function listed(input: EmbedInput | readonly EmbedInput[]): readonly EmbedInput[] {
  return Array.isArray(input) && typeof input[0] !== "number" ? input : [input as EmbedInput];
}
