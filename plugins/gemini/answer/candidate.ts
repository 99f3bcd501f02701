import { UpstreamError } from "modelyard/plugin";
import type {
  ChatEvent,
  FinishEvent,
  FinishReason,
  Json,
  JsonObject,
  UpstreamErrorCode,
  UsageEvent,
} from "modelyard/plugin";
import { asArray, asNumber, asObjects, asString, isObject, member, readFinishReason } from "modelyard/kit";

/** An event of a choice. */
type ChoiceEvent = Exclude<ChatEvent, UsageEvent>;

/** What a piece of a candidate says, and the failure it ends with if it does. */
export interface Said {
  readonly events: readonly ChoiceEvent[];
  readonly failure: UpstreamError | undefined;
}

const READ = new Set(["content", "finishReason", "finishMessage", "index", "logprobsResult"]);

/** One of the answers of a response, as its pieces come. https://ai.google.dev/api/generate-content#candidate */
export class Candidate {
  #calls = 0;
  /** By name, what was last said beside the content: each piece of a stream repeats it. */
  readonly #beside = new Map<string, string>();
  /** True once it has said something, be it empty. */
  hasContent = false;
  /** True once it has had a finish reason. */
  isFinished = false;
  /** True while it has said more behind its last finish reason. */
  isOutrun = false;

  read(candidate: JsonObject): Said {
    const parts = asObjects(member(candidate["content"], "parts"));
    const events = parts.flatMap((part) => this.#part(part));
    const others = otherParts(parts);
    if (others) events.push({ type: "extra", at: "delta", fields: others });
    this.hasContent ||= isObject(candidate["content"]);
    this.isOutrun ||= this.isFinished && events.length > 0;
    const reason = readFinishReason(candidate["finishReason"]);
    const end = isReason(reason) ? finishOf(reason, asString(candidate["finishMessage"])) : undefined;
    // Nothing about an answer that has failed: it would commit what could still be had elsewhere.
    if (end && end instanceof Error) return { events, failure: end };
    const fields = this.#fields(candidate);
    if (fields) events.push({ type: "extra", at: "choice", fields });
    if (end) {
      events.push(end);
      this.isFinished = true;
      this.isOutrun = false;
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
      // Without one of Gemini's the core makes one: the client gives it back, and the name is found by it.
      ...(id !== "" && { id }),
      name: asString(call["name"]),
      arguments: argumentsOf(call["args"]),
      ...(google && { fields: { extra_content: google } }),
    };
  }

  /** What stands beside the content and is new, under Gemini's own names; logprobs as OpenAI has them. */
  #fields(candidate: JsonObject): JsonObject | undefined {
    const fields: Record<string, Json | undefined> = {};
    for (const [name, value] of Object.entries(candidate)) {
      if (READ.has(name) || value === null) continue;
      const said = JSON.stringify(value);
      if (this.#beside.get(name) === said) continue;
      this.#beside.set(name, said);
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

/** Some servers give the JSON text in place of its value; of no arguments nothing is said. */
function argumentsOf(said: Json | undefined): string {
  if (typeof said === "string") return said;
  return said === undefined || said === null ? "" : JSON.stringify(said);
}

function isReason(reason: string): boolean {
  return reason !== "" && reason !== "FINISH_REASON_UNSPECIFIED";
}

/** Parts that are neither text nor calls: images as OpenRouter gives them, everything else as Gemini does. */
function otherParts(parts: readonly JsonObject[]): JsonObject | undefined {
  const images: JsonObject[] = [];
  const others: JsonObject[] = [];
  for (const part of parts) {
    // What it draws while it thinks is no part of the answer.
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
const REASONS = new Map<string, FinishReason>([
  ["STOP", "stop"],
  ["MAX_TOKENS", "length"],
  ["CONTINUATION", "length"],
  ["SAFETY", "content_filter"],
  ["RECITATION", "content_filter"],
  ["LANGUAGE", "content_filter"],
  ["BLOCKLIST", "content_filter"],
  ["PROHIBITED_CONTENT", "content_filter"],
  ["SPII", "content_filter"],
  ["IMAGE_SAFETY", "content_filter"],
  ["IMAGE_PROHIBITED_CONTENT", "content_filter"],
  ["IMAGE_RECITATION", "content_filter"],
]);

/** Ends that leave no answer worth the name; another try, or another model, may give one. */
const FAILED = new Map<string, UpstreamErrorCode>([
  ["MALFORMED_FUNCTION_CALL", "model-failed"],
  ["MALFORMED_RESPONSE", "model-failed"],
  ["UNEXPECTED_TOOL_CALL", "model-failed"],
  ["TOO_MANY_TOOL_CALLS", "model-failed"],
  ["NO_IMAGE", "model-failed"],
  ["IMAGE_OTHER", "model-failed"],
  ["OTHER", "model-failed"],
  ["MISSING_THOUGHT_SIGNATURE", "bad-request"],
]);

/** The `finish` event for a `finishReason`, or the error where it means that the model failed. */
function finishOf(native: string, message: string): FinishEvent | UpstreamError {
  const failure = FAILED.get(native);
  if (!failure) return { type: "finish", reason: REASONS.get(native) ?? "stop", native };
  const details = message === "" ? "" : `: ${message}`;
  return new UpstreamError(failure, `Gemini ended its answer with ${native}${details}`);
}

/** Gemini's `logprobsResult` as OpenAI's `logprobs`. https://ai.google.dev/api/generate-content#LogprobsResult */
function logprobsOf(result: JsonObject): JsonObject {
  const tops = asArray(result["topCandidates"]);
  const content = asArray(result["chosenCandidates"]).map((chosen, index) => ({
    ...token(chosen),
    top_logprobs: asArray(member(tops[index], "candidates")).map(token),
  }));
  return { content, refusal: null };
}

// Gemini doesn't say which bytes a token stands for; a token may be a part of a character.
function token(candidate: Json): JsonObject {
  const id = asNumber(member(candidate, "tokenId"));
  return {
    token: asString(member(candidate, "token")),
    logprob: asNumber(member(candidate, "logProbability")) ?? 0,
    bytes: null,
    ...(id !== undefined && { token_id: id }),
  };
}
