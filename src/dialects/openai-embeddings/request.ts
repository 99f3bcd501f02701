import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { EmbedRequest } from "../../contract/index.ts";
import { keepMeaning } from "../../contract/source.ts";
import { explain, Nullable } from "../explain.ts";

/** https://platform.openai.com/docs/api-reference/embeddings/create */
export const EmbeddingsRequestSchema = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 256, description: "One of the ids of GET /v1/models" }),
  input: Type.Union(
    [
      Type.String({ minLength: 1 }),
      Type.Array(Type.String(), { minItems: 1 }),
      Type.Array(Type.Integer(), { minItems: 1 }),
      Type.Array(Type.Array(Type.Integer(), { minItems: 1 }), { minItems: 1 }),
    ],
    { description: "A text, a list of texts, or texts as token numbers" },
  ),
  encoding_format: Nullable(
    Type.Union([Type.Literal("float"), Type.Literal("base64")], { description: "How vectors are written" }),
  ),
});

const compiled = TypeCompiler.Compile(EmbeddingsRequestSchema);

export type VectorEncoding = "float" | "base64";

/** What was asked, and the form in which the client wants the vectors, whatever the upstream gives. */
export interface EmbeddingsRequest {
  readonly request: EmbedRequest;
  readonly encoding: VectorEncoding;
}

/** The client's body, checked; throws a RequestError that names the field at fault. */
export function parseEmbeddingsRequest(body: unknown): EmbeddingsRequest {
  if (!compiled.Check(body)) throw explain(compiled, body);
  const { encoding_format: encoding, input, ...rest } = body;
  return { request: keepMeaning({ ...rest, input: listed(input) }), encoding: encoding ?? "float" };
}

function listed(input: string | string[] | number[] | number[][]): EmbedRequest["input"] {
  if (typeof input === "string") return [input];
  return typeof input[0] === "number" ? [input as number[]] : (input as string[] | number[][]);
}
