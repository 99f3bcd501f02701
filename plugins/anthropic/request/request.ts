import { asArray, asObject, asObjects, asString } from "modelyard/kit";
import type { ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { unsupported } from "./errors.ts";
import { formatOf } from "./schema.ts";
import { mapMessages } from "./messages.ts";
import { mapParameters, maxTokensOf, sampling } from "./parameters.ts";
import { planThinking } from "./thinking.ts";
import type { Thinking } from "./thinking.ts";
import { isForcedChoice, mapTools } from "./tools.ts";
import type { Traits } from "../traits.ts";

/** A request of the Messages API. */
export interface MessagesRequest {
  readonly body: JsonObject;
  /** The beta features in the request's `betas`, as in Anthropic's SDKs. */
  readonly betas: readonly string[];
}

/** The context of a request's mapping. */
export interface RequestContext {
  readonly traits: Traits;
  /** The option `max_tokens`, if set. */
  readonly maxTokens: number | undefined;
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/**
 * Maps a request to the Messages API. Throws `unsupported` or `bad-request` with the field at fault; reports omitted
 * fields by `call.ignored`.
 */
export function mapRequest(
  request: ChatRequest,
  { traits, maxTokens: usual, names, call }: RequestContext,
): MessagesRequest {
  const maxTokens = maxTokensOf(request, usual ?? traits.defaultMaxTokens, call);
  const tools = mapTools(request, { traits, names, call });
  const isForced = isForcedChoice(tools.tool_choice);
  const conversation = mapMessages(request, { names, call });
  if (!traits.prefill && isPrefilled(conversation.messages)) {
    const last = `messages[${request.messages.length - 1}]`;
    throw unsupported("takes no prefilled answer for this model", last);
  }
  const lacksThinking = lacksThinkingBlocks(conversation.messages);
  const thinking = planThinking({ request, traits, maxTokens, isForced, lacksThinking, call });
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

/** Returns whether the client prefilled the answer; a turn that paused at a server tool has blocks other than texts. */
function isPrefilled(messages: readonly JsonObject[]): boolean {
  const last = messages.at(-1);
  return last?.["role"] === "assistant" && asObjects(last["content"]).every(({ type }) => type === "text");
}

/** Returns whether the last assistant turn called tools and lacks its thinking blocks. */
function lacksThinkingBlocks(messages: readonly JsonObject[]): boolean {
  const turn = messages.findLast(({ role }) => role === "assistant");
  const [first, ...others] = asObjects(turn?.["content"]).map(({ type }) => asString(type));
  const isCall = [first, ...others].includes("tool_use");
  return isCall && first !== "thinking" && first !== "redacted_thinking";
}

/** Returns the blocks of Anthropic's own `system` parameter. */
function ownSystem(value: Json | undefined): readonly Json[] {
  if (typeof value === "string") return value === "" ? [] : [{ type: "text", text: value }];
  return asArray(value);
}

/** Returns `output_config` with effort and format; the members of the client's own take precedence. */
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
