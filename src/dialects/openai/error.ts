import type { ErrorCode, GatewayError } from "../../errors/gateway-error.ts";
import { ERROR_CODES } from "../../errors/gateway-error.ts";
import { stringifyJson } from "../../json/json-text.ts";
import type { ErrorReply } from "../dialect.ts";

/** The codes whose `type` doesn't follow from their status. */
const TYPES: Partial<Record<ErrorCode, string>> = {
  model_not_allowed: "permission_error",
  key_expired: "permission_error",
  rate_limit_exceeded: "rate_limit_error",
  insufficient_quota: "insufficient_quota",
};

/** OpenAI's error object: `{"error": {message, type, param, code}}`. */
export function errorReply(error: GatewayError): ErrorReply {
  return { status: error.status, body: errorBody(error) };
}

/** The end of a failed stream: official SDKs raise it, and no `[DONE]` follows. */
export function errorFrame(error: GatewayError): string {
  return `data: ${stringifyJson(errorBody(error))}\n\n`;
}

/** Returns the body that an error has by itself, or in a frame. */
export function errorBody(error: GatewayError) {
  const { message, status, param = null, code, upstreamCode } = error;
  const type = TYPES[code] ?? (status < 500 ? "invalid_request_error" : "server_error");
  return { error: { message, type, param, code: upstreamCode ?? code } };
}

export const ERROR_SCHEMA = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type", "param", "code"],
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: { type: ["string", "null"], description: "The field at fault" },
        code: { type: "string", enum: Object.keys(ERROR_CODES) },
      },
    },
  },
};
