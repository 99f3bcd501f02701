import { isObject } from "modelyard/kit";
import type { ToolNames } from "modelyard/kit";
import type { Call, ChatRequest, JsonObject } from "modelyard/plugin";
import { conversation } from "./messages.ts";
import type { ModelName } from "../models.ts";
import type { Options } from "../options.ts";
import { parameters, safetySettings } from "./parameters.ts";
import { unsupported } from "./errors.ts";
import { googleFields, thinkingConfig } from "./thinking.ts";
import { toolFields } from "./tools.ts";

interface RequestContext {
  readonly model: ModelName;
  readonly options: Pick<Options, "safety" | "thoughts">;
  readonly names: ToolNames;
  readonly call: Pick<Call, "ignored">;
}

/**
 * Maps a chat request to Gemini's `GenerateContentRequest`. Throws `bad-request` or `unsupported` with the field at
 * fault; reports omitted fields by `call.ignored`. https://ai.google.dev/api/generate-content
 */
export function generateRequest(
  request: ChatRequest,
  { model, options, names, call }: RequestContext,
): JsonObject {
  const { config, body } = parameters(request, call);
  const google = googleFields(request);
  const own = isObject(google["thinking_config"]) ? google["thinking_config"] : {};
  const thinking = thinkingConfig({ request, model, thoughts: options.thoughts, own, call });
  const generationConfig = { ...config, ...(thinking && { thinkingConfig: thinking }) };
  const tools = toolFields(request, { names, call });
  const isJson = config["responseMimeType"] === "application/json";
  if (isJson && "tools" in tools && model.version > 0 && model.version < 3) {
    throw unsupported("response_format", "models before Gemini 3 take no tools beside JSON");
  }
  return {
    ...conversation(request.messages, { model, names, call }),
    ...tools,
    ...safetySettings(request, options.safety),
    ...(google["cached_content"] !== undefined && { cachedContent: google["cached_content"] }),
    ...body,
    ...(Object.keys(generationConfig).length > 0 && { generationConfig }),
  };
}
