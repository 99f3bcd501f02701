import type { ChatRequest, Json, JsonObject } from "../../../contract/index.ts";
import { isObject } from "../../../contract/json.ts";
import { messagesOf } from "./turns.ts";
import { toolMembers } from "./tools.ts";
import { others } from "../../fitting/values.ts";

/** Members that chat completions have another name or form for. */
const MAPPED = new Set([
  "model",
  "messages",
  "system",
  "tools",
  "tool_choice",
  "max_tokens",
  "stop_sequences",
  "stream",
  "metadata",
  "output_config",
  "service_tier",
]);

/** `standard_only` is OpenAI's `default`. */
const TIERS: Readonly<Record<string, string>> = { standard_only: "default" };

/**
 * Returns a checked Messages request as the chat request that every upstream is asked by. What chat completions have no
 * form for keeps its own name: `chatFor` takes out what an upstream doesn't know. Throws a GatewayError that names the
 * member at fault.
 */
export function chatRequest(body: JsonObject): ChatRequest {
  const { model, max_tokens: longest, stop_sequences: stops, stream, service_tier: tier } = body;
  return {
    model: model as string,
    messages: messagesOf(body),
    ...(longest !== undefined && { max_tokens: longest }),
    ...toolMembers(body),
    ...(Array.isArray(stops) && stops.length > 0 && { stop: stops as Json[] }),
    ...userMembers(body["metadata"]),
    ...outputMembers(body["output_config"]),
    ...(typeof tier === "string" && { service_tier: TIERS[tier] ?? tier }),
    ...others(body, MAPPED),
    ...(stream === true && { stream }),
  };
}

/** OpenAI's servers take 64 characters for it, and Claude Code writes 150. */
function userMembers(metadata: Json | undefined): JsonObject {
  if (!isObject(metadata)) return {};
  const { user_id: id, ...rest } = metadata;
  const isNamed = typeof id === "string" && id !== "";
  return {
    ...(isNamed && { safety_identifier: new Bun.CryptoHasher("sha256").update(id).digest("hex") }),
    ...(Object.keys(rest).length > 0 && { metadata: rest }),
  };
}

/** A schema for the answer has OpenAI's form; the rest of `output_config` keeps its own. */
function outputMembers(config: Json | undefined): JsonObject {
  if (!isObject(config)) return {};
  const { format, ...rest } = config;
  const isSchema = isObject(format) && format["type"] === "json_schema" && isObject(format["schema"]);
  const own = isSchema || format === undefined || format === null ? rest : config;
  return {
    ...(isSchema && {
      response_format: {
        type: "json_schema",
        json_schema: { name: "answer", schema: format["schema"], strict: true },
      },
    }),
    ...(Object.keys(own).length > 0 && { output_config: own }),
  };
}
