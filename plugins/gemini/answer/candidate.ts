import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, FinishEvent, Json, JsonObject, UsageEvent } from "modelyard/plugin";
import { asArray, asNumber, asObjects, asString, isObject, member, readFinishReason } from "modelyard/kit";

/** An event of a choice. */
type ChoiceEvent = Exclude<ChatEvent, UsageEvent>;

/** The events of a candidate's piece, and the error that ends it, if any. */
export interface CandidateUpdate {
  readonly events: readonly ChoiceEvent[];
  readonly failure: UpstreamError | undefined;
}

const KNOWN_MEMBERS = new Set(["content", "finishReason", "finishMessage", "index", "logprobsResult"]);

/**
 * Reads the pieces of one candidate, the counterpart of an OpenAI choice.
 * https://ai.google.dev/api/generate-content#candidate
 */
export class Candidate {
  #calls = 0;
  /** The last value of each member beside the content, as JSON: each piece of a stream repeats them. */
  readonly #metadata = new Map<string, string>();
  /** True after the first content, which may be empty. */
  hasContent = false;
  /** True after the first finish reason. */
  isFinished = false;
  /** True if content has followed the last finish reason. */
  hasContentAfterFinish = false;

  read(candidate: JsonObject): CandidateUpdate {
    const parts = asObjects(member(candidate["content"], "parts"));
    const events = parts.flatMap((part) => this.#part(part));
    const others = otherParts(parts);
    if (others) events.push({ type: "extra", at: "delta", fields: others });
    this.hasContent ||= isObject(candidate["content"]);
    this.hasContentAfterFinish ||= this.isFinished && events.length > 0;
    const reason = readFinishReason(candidate["finishReason"]);
    const isEnd = reason !== "" && reason !== "FINISH_REASON_UNSPECIFIED";
    const end = isEnd ? finishOf(reason, asString(candidate["finishMessage"])) : undefined;
    // No metadata of a failed answer: an event would commit the answer and rule out failover.
    if (end && end instanceof Error) return { events, failure: end };
    const fields = this.#fields(candidate);
    if (fields) events.push({ type: "extra", at: "choice", fields });
    if (end) {
      events.push(end);
      this.isFinished = true;
      this.hasContentAfterFinish = false;
    }
    return { events, failure: undefined };
  }

  #part(part: JsonObject): ChoiceEvent[] {
    const signature = asString(part["thoughtSignature"]);
    const google = signature === "" ? undefined : { google: { thought_signature: signature } };
    const call = part["functionCall"];
    if (isObject(call)) return [this.#call(call, google)];
    const events: ChoiceEvent[] = [];
    const text = asString(part["text"]);
    if (text !== "") events.push({ type: part["thought"] === true ? "reasoning" : "text", text });
    if (google) events.push({ type: "extra", at: "delta", fields: { extra_content: google } });
    return events;
  }

  #call(call: JsonObject, google: JsonObject | undefined): ChoiceEvent {
    const id = asString(call["id"]);
    return {
      type: "tool-call",
      index: this.#calls++,
      // Without an id of Gemini's the core generates one, by which the call is found when the client returns its
      // result.
      ...(id !== "" && { id }),
      name: asString(call["name"]),
      arguments: argumentsOf(call["args"]),
      ...(google && { fields: { extra_content: google } }),
    };
  }

  /** Returns the changed members beside the content under Gemini's names, and logprobs in OpenAI's form. */
  #fields(candidate: JsonObject): JsonObject | undefined {
    const fields: Record<string, Json | undefined> = {};
    for (const [name, value] of Object.entries(candidate)) {
      if (KNOWN_MEMBERS.has(name) || value === null) continue;
      const json = JSON.stringify(value);
      if (this.#metadata.get(name) === json) continue;
      this.#metadata.set(name, json);
      fields[name] = value;
    }
    const result = candidate["logprobsResult"];
    if (isObject(result)) {
      fields["logprobs"] = logprobsOf(result);
      if (result["logProbabilitySum"] !== undefined)
        fields["logProbabilitySum"] = result["logProbabilitySum"];
    }
    return Object.keys(fields).length > 0 ? fields : undefined;
  }
}

/**
 * Returns arguments as JSON text. Some servers send the text in place of its value; without arguments there is none.
 */
function argumentsOf(json: Json | undefined): string {
  if (typeof json === "string") return json;
  return json === undefined || json === null ? "" : JSON.stringify(json);
}

/** Returns the parts that are neither text nor calls: images in OpenRouter's form, all others in Gemini's. */
function otherParts(parts: readonly JsonObject[]): JsonObject | undefined {
  const images: JsonObject[] = [];
  const others: JsonObject[] = [];
  for (const part of parts) {
    // Images drawn while thinking aren't part of the answer.
    if (
      part["thought"] === true ||
      "functionCall" in part ||
      "text" in part ||
      Object.keys(part).every((name) => SIGNS.has(name))
    )
      continue;
    const mimeType = asString(member(part["inlineData"], "mimeType"));
    if (!mimeType.startsWith("image/")) others.push(part);
    else images.push(image(`data:${mimeType};base64,${asString(member(part["inlineData"], "data"))}`));
  }
  if (images.length + others.length === 0) return undefined;
  return { ...(images.length > 0 && { images }), ...(others.length > 0 && { content_parts: others }) };
}

const SIGNS = new Set(["thought", "thoughtSignature"]);

function image(url: string): JsonObject {
  return { type: "image_url", image_url: { url } };
}

/** https://ai.google.dev/api/generate-content#FinishReason */
const TOO_LONG = /^(MAX_TOKENS|CONTINUATION)$/;
const FILTERED = /^((IMAGE_)?(SAFETY|RECITATION|PROHIBITED_CONTENT)|LANGUAGE|BLOCKLIST|SPII)$/;
/** Finish reasons that mean a failed answer; another attempt or model may succeed. */
const FAILED =
  /^(MALFORMED_(FUNCTION_CALL|RESPONSE)|UNEXPECTED_TOOL_CALL|TOO_MANY_TOOL_CALLS|NO_IMAGE|(IMAGE_)?OTHER)$/;
const BAD_REQUEST = "MISSING_THOUGHT_SIGNATURE";

/** Returns the `finish` event for a `finishReason`, or the error if it means a failure. */
function finishOf(native: string, message: string): FinishEvent | UpstreamError {
  if (native === BAD_REQUEST || FAILED.test(native)) {
    const details = message === "" ? "" : `: ${message}`;
    const code = native === BAD_REQUEST ? "bad-request" : "model-failed";
    return new UpstreamError(code, `Gemini ended its answer with ${native}${details}`);
  }
  const reason = TOO_LONG.test(native) ? "length" : FILTERED.test(native) ? "content_filter" : "stop";
  return { type: "finish", reason, native };
}

/** Maps Gemini's `logprobsResult` to OpenAI's `logprobs`. https://ai.google.dev/api/generate-content#LogprobsResult */
function logprobsOf(result: JsonObject): JsonObject {
  const tops = asArray(result["topCandidates"]);
  const content = asArray(result["chosenCandidates"]).map((chosen, index) => ({
    ...token(chosen),
    top_logprobs: asArray(member(tops[index], "candidates")).map(token),
  }));
  return { content, refusal: null };
}

// Gemini doesn't report a token's bytes; a token may be a part of a character.
function token(candidate: Json): JsonObject {
  const id = asNumber(member(candidate, "tokenId"));
  return {
    token: asString(member(candidate, "token")),
    logprob: asNumber(member(candidate, "logProbability")) ?? 0,
    bytes: null,
    ...(id !== undefined && { token_id: id }),
  };
}
