import { asArray, errorFromBody, isObject, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Call, EmbedRequest, Json, JsonObject, Usage } from "modelyard/plugin";
import type { ModelName } from "./models.ts";
import { unsupported } from "./request/errors.ts";
import { usageOf } from "./answer/usage.ts";

/** The maximum number of texts in one API request. */
const BATCH_SIZE = 100;

interface EmbedContext {
  readonly model: ModelName;
  readonly call: Pick<Call, "ignored">;
}

/**
 * Returns the bodies of `:batchEmbedContents`, in the order of the request's texts. Throws `unsupported` for token
 * arrays. https://ai.google.dev/api/embeddings
 */
export function embedBodies(request: EmbedRequest, { model, call }: EmbedContext): readonly JsonObject[] {
  for (const [name, value] of Object.entries(request)) {
    if (KNOWN.has(name) || value === undefined || value === null) continue;
    call.ignored(name, "Gemini has no such parameter");
  }
  if (request["encoding_format"] !== undefined)
    throw unsupported("encoding_format", "Gemini gives vectors as numbers");
  const outputDimensionality = request["dimensions"] ?? undefined;
  const requests = request.input.map((text, index) => {
    if (typeof text !== "string")
      throw unsupported(`input[${index}]`, "Gemini takes texts, no token numbers and no objects");
    return { model: model.resource, content: { parts: [{ text }] }, outputDimensionality };
  });
  const bodies: JsonObject[] = [];
  for (let from = 0; from < requests.length; from += BATCH_SIZE) {
    bodies.push({ requests: requests.slice(from, from + BATCH_SIZE) });
  }
  return bodies;
}

const KNOWN = new Set(["model", "input", "dimensions"]);

/** Parses the vectors of an answer. Throws the error in their place, or `bad-response` if they are malformed. */
export function parseVectors(answer: Json, expected: number): readonly (readonly number[])[] {
  if (member(answer, "embeddings") === undefined && member(answer, "error")) throw errorFromBody(answer);
  const vectors = asArray(member(answer, "embeddings")).map((each) => asArray(member(each, "values")));
  if (vectors.length !== expected) throw badResponse(`${vectors.length} vectors for ${expected} texts`);
  const odd = vectors.findIndex((vector) => !isVector(vector));
  if (odd !== -1) throw badResponse(`no vector for text ${odd}, or one that is none`);
  return vectors.filter(isVector);
}

function isVector(values: readonly Json[]): values is readonly number[] {
  return values.length > 0 && values.every((value) => typeof value === "number");
}

function badResponse(what: string): UpstreamError {
  return new UpstreamError("bad-response", `Gemini sent ${what}`);
}

/** Returns the usage of all answers together, or undefined if one has none. */
export function embedUsage(answers: readonly Json[]): Usage | undefined {
  let input = 0;
  for (const answer of answers) {
    const raw = member(answer, "usageMetadata");
    const tokens = isObject(raw) ? usageOf(raw).input : undefined;
    if (tokens === undefined) return undefined;
    input += tokens;
  }
  return { input };
}
