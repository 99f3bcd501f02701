import type { Json, JsonObject } from "modelyard/plugin";
import { elements, member, numberIn, textIn } from "../json.ts";

/** Gemini's `logprobsResult` as OpenAI's `logprobs`. https://ai.google.dev/api/generate-content#LogprobsResult */
export function logprobsOf(result: JsonObject): JsonObject {
  const tops = elements(result["topCandidates"]);
  const content = elements(result["chosenCandidates"]).map((chosen, index) => ({
    ...token(chosen),
    top_logprobs: elements(member(tops[index], "candidates")).map(token),
  }));
  return { content, refusal: null };
}

// Gemini doesn't say which bytes a token stands for; a token may be a part of a character.
function token(candidate: Json): JsonObject {
  const id = numberIn(candidate, "tokenId");
  return {
    token: textIn(candidate, "token"),
    logprob: numberIn(candidate, "logProbability") ?? 0,
    bytes: null,
    ...(id !== undefined && { token_id: id }),
  };
}
