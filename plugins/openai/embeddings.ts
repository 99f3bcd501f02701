import { isNumber, UpstreamError } from "modelyard/plugin";
import { asArray, asObject, asString, errorFromBody, member } from "modelyard/kit";
import type { EmbedRequest, EmbedResult, Json, JsonObject } from "modelyard/plugin";

const BYTES_PER_NUMBER = 4;

/**
 * Parses an answer to `POST /embeddings`: one vector for each input, in the order of `index`, as an array of numbers
 * or base64 of little-endian 32 bit floats; strings are passed on for an encoding of the server's own. Throws the
 * error in its place, or `bad-response` if it is malformed.
 * https://platform.openai.com/docs/api-reference/embeddings/object
 */
export function parseEmbeddings(body: Json, { input, encoding_format: own }: EmbedRequest): EmbedResult {
  const inputs = input.length;
  const isOwn = typeof own === "string" && own !== "base64";
  const { data, model, usage, object: _, ...fields } = asObject(body) ?? {};
  if (!Array.isArray(data))
    throw fields["error"] ? errorFromBody(body) : badResponse("something that is no list of embeddings");
  const list = asArray(data);
  const vectors = new Map(list.map((each, place) => [indexOf(each, place), vectorOf(each, isOwn)]));
  const ordered = Array.from({ length: inputs }, (_, index) => vectors.get(index));
  if (list.length !== inputs) throw badResponse(`${list.length} embeddings for ${inputs} inputs`);
  for (const [index, vector] of ordered.entries()) {
    if (vector === undefined) throw badResponse(`no embedding of input ${index}, or one that is no vector`);
  }
  const name = asString(model);
  return {
    vectors: ordered.filter((vector) => vector !== undefined),
    ...usageIn(asObject(usage) ?? {}),
    ...(name !== "" && { model: name }),
    ...(Object.keys(fields).length > 0 && { fields }),
  };
}

function badResponse(what: string): UpstreamError {
  return new UpstreamError("bad-response", `the upstream sent ${what}`);
}

function indexOf(embedding: Json, place: number): number {
  const index = member(embedding, "index");
  return isNumber(index) ? Number(index) : place;
}

function vectorOf(body: Json, isOwn: boolean): EmbedResult["vectors"][number] | undefined {
  const embedding = member(body, "embedding");
  if (typeof embedding === "string") return isOwn ? embedding : decodeFloats(embedding);
  return isVector(embedding) ? embedding : undefined;
}

function isVector(value: Json | undefined): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "number");
}

function decodeFloats(base64: string): Float32Array | undefined {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length === 0 || bytes.length % BYTES_PER_NUMBER !== 0) return undefined;
  const vector = new Float32Array(bytes.length / BYTES_PER_NUMBER);
  for (let index = 0; index < vector.length; index++) {
    vector[index] = bytes.readFloatLE(index * BYTES_PER_NUMBER);
  }
  return vector;
}

function usageIn(raw: JsonObject): Pick<EmbedResult, "usage"> {
  const input = raw["prompt_tokens"] ?? raw["total_tokens"];
  return isNumber(input) ? { usage: { input: Number(input), raw } } : {};
}
