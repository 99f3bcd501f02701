import { asArray, asObject, asObjects, asString } from "modelyard/kit";
import type { ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { unsupported } from "./errors.ts";
import { formatOf } from "./schema.ts";
import { mapMessages } from "./messages.ts";
import { mapParameters, maxTokensOf, sampling } from "./parameters.ts";
import { planThinking } from "./thinking.ts";
import type { Thinking } from "./thinking.ts";
import { isDemand, mapTools } from "./tools.ts";
import type { Traits } from "../traits.ts";

/** A request in the Messages API's terms. */
export interface MessagesRequest {
  readonly body: JsonObject;
  /** Beta features that the client asks for itself (`betas`, as in Anthropic's SDKs). */
  readonly betas: readonly string[];
}

/** What is known beside the request. */
export interface Setting {
  readonly traits: Traits;
  /** `max_tokens` of the options, if it is set. */
  readonly maxTokens: number | undefined;
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/**
 * Maps a request on the Messages API. Throws `unsupported` or `bad-request` with the field at fault; names with
 * `call.ignored` what is left out.
 */
export function mapRequest(
  request: ChatRequest,
  { traits, maxTokens: usual, names, call }: Setting,
): MessagesRequest {
  const maxTokens = maxTokensOf(request, usual ?? traits.usualOutput, call);
  const tools = mapTools(request, { traits, names, call });
  const isForced = isDemand(tools.tool_choice);
  const conversation = mapMessages(request, { names, call });
  if (!traits.prefill && isBegun(conversation.messages)) {
    const last = `messages[${request.messages.length - 1}]`;
    throw unsupported("lets nobody begin the answer of this model", last);
  }
  const isThoughtless = lacksThought(conversation.messages);
  const thinking = planThinking({ request, traits, maxTokens, isForced, isThoughtless, call });
  const system = [...ownSystem(request["system"]), ...conversation.system];
  const output = outputConfig(request, thinking, formatOf(request, traits, call));
  const body = {
    model: request.model,
    max_tokens: maxTokens,
    ...(system.length > 0 && { system }),
    messages: conversation.messages,
    ...mapParameters(request, call),
    ...sampling(request, { traits, isThinking: thinking.isOn, call }),
    ...tools,
    ...(thinking.thinking !== undefined && { thinking: thinking.thinking }),
    ...(output && { output_config: output }),
    ...(request.stream === true && { stream: true }),
  };
  return { body, betas: asArray(request["betas"]).map(asString).filter(Boolean) };
}

/** Whether the client has begun the answer: a turn that only paused, at a server's tool, has other blocks than texts. */
function isBegun(messages: readonly JsonObject[]): boolean {
  const last = messages.at(-1);
  return last?.["role"] === "assistant" && asObjects(last["content"]).every(({ type }) => type === "text");
}

/** Whether the conversation goes on with the results of a turn whose thoughts didn't come back with it. */
function lacksThought(messages: readonly JsonObject[]): boolean {
  const turn = messages.findLast(({ role }) => role === "assistant");
  const [first, ...others] = asObjects(turn?.["content"]).map(({ type }) => asString(type));
  const isCall = [first, ...others].includes("tool_use");
  return isCall && first !== "thinking" && first !== "redacted_thinking";
}

/** Instructions in Anthropic's own place for them. */
function ownSystem(value: Json | undefined): readonly Json[] {
  if (typeof value === "string") return value === "" ? [] : [{ type: "text", text: value }];
  return asArray(value);
}

/** Effort and format; the client's own `output_config` goes before both. */
function outputConfig(
  request: ChatRequest,
  { effort }: Thinking,
  format: JsonObject | undefined,
): JsonObject | undefined {
  const config = {
    ...(effort && { effort }),
    ...(format && { format }),
    ...asObject(request["output_config"]),
  };
  return Object.keys(config).length > 0 ? config : undefined;
}
