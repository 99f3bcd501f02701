import { asArray, isObject } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { mapMessages } from "./messages.ts";
import { findModel } from "../models.ts";
import type { LangfastModel } from "../models.ts";
import { mapParameters } from "./parameters.ts";

/** A request mapped to the prompt runner's protocol. */
export interface Prompt {
  readonly model: LangfastModel;
  /** `prompt_meta` of the protocol. */
  readonly meta: JsonObject;
  /** Stop sequences, which the plugin applies itself: the prompt runner has no such parameter. */
  readonly stop: readonly string[];
  readonly isStreamed: boolean;
}

/**
 * Maps a request to what its model takes. Throws `UpstreamError` `no-such-model`, `unsupported` or `bad-request` with
 * the field at fault; reports omitted fields by `call.ignored`.
 */
export function mapRequest(request: ChatRequest, call: Pick<Call, "ignored">): Prompt {
  const model = findModel(request.model);
  if (!model) throw new UpstreamError("no-such-model", `langfa.st has no model ${request.model}`);
  const messages = mapMessages(request.messages, model, call);
  const parameters = mapParameters(request, model, call);
  return {
    model,
    meta: wellFormed({ model: model.id, messages, ...parameters, stream: true }),
    stop: stopSequences(request),
    isStreamed: request.stream === true,
  };
}

/** Limits of `stop`, which bound the cost of searching. OpenAI takes 4 sequences. */
const STOP_LIMITS = { sequences: 16, length: 1_000 };

function stopSequences(request: ChatRequest): readonly string[] {
  const stop = request["stop"] ?? [];
  const sequences = Array.isArray(stop) ? stop : [stop];
  if (!sequences.every((sequence) => typeof sequence === "string")) {
    throw new UpstreamError("bad-request", "stop must be a string or a list of strings", { param: "stop" });
  }
  const isTooLong = sequences.some((sequence) => sequence.length > STOP_LIMITS.length);
  if (isTooLong || sequences.length > STOP_LIMITS.sequences) {
    const limits = `${STOP_LIMITS.sequences} sequences of ${STOP_LIMITS.length} characters`;
    throw new UpstreamError("unsupported", `stop takes at most ${limits} here`, { param: "stop" });
  }
  return sequences.filter((sequence) => sequence !== "");
}

/** Returns a copy with U+FFFD for each lone surrogate, which the socket's library would write as it is. */
function wellFormed(value: JsonObject): JsonObject {
  const members = Object.entries(value).map(
    ([name, each]) => [name.toWellFormed(), wellFormedValue(each)] as const,
  );
  return Object.fromEntries(members);
}

function wellFormedValue(value: Json | undefined): Json | undefined {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return asArray(value).map((each) => wellFormedValue(each) ?? null);
  return isObject(value) ? wellFormed(value) : value;
}
