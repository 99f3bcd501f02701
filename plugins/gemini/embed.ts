import { asArray, errorFromBody, isObject, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Call, EmbedRequest, Json, JsonObject, Usage } from "modelyard/plugin";
import type { ModelName } from "./models.ts";
import { unsupported } from "./request/errors.ts";
import { usageOf } from "./answer/usage.ts";

/** The most that one call takes. */
const BATCH = 100;

interface Around {
  readonly model: ModelName;
  readonly call: Pick<Call, "ignored">;
}

/**
 * The bodies of `:batchEmbedContents` for a request, in the order of its texts; throws `unsupported` for texts as token
 * numbers. https://ai.google.dev/api/embeddings
 */
export function embedBodies(request: EmbedRequest, { model, call }: Around): readonly JsonObject[] {
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
  for (let from = 0; from < requests.length; from += BATCH) {
    bodies.push({ requests: requests.slice(from, from + BATCH) });
  }
  return bodies;
}

const KNOWN = new Set(["model", "input", "dimensions"]);

/** The vectors of an answer; throws what an error in their place says, or `bad-response` with what is wrong. */
export function vectorsIn(answer: Json, expected: number): readonly (readonly number[])[] {
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

/** What all answers spent together; nothing where one doesn't say. */
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
