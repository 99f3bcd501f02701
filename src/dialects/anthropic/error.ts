import type { ErrorCode, GatewayError } from "../../errors/gateway-error.ts";
import type { JsonObject } from "../../contract/index.ts";
import type { ErrorReply } from "../dialect.ts";
import { frame } from "./frame.ts";

/** The codes whose `type` doesn't follow from their status. */
const TYPES: Partial<Record<ErrorCode, string>> = { insufficient_quota: "billing_error" };

const TYPES_BY_STATUS: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

/** What Anthropic's API answers with in place of 503. */
const OVERLOADED = 529;

/** The words by which clients recognise a conversation that is too long. */
const TOO_LONG = "prompt is too long";

/** Returns Anthropic's error object. https://platform.claude.com/docs/en/api/errors */
export function errorReply(error: GatewayError, request: string): ErrorReply {
  const status = error.status === 503 ? OVERLOADED : error.status;
  return { status, body: errorBody(error, request), headers: { "request-id": request } };
}

/** Returns the frame that ends a failed stream; nothing follows it. */
export function errorFrame(error: GatewayError): string {
  return frame("error", errorBody(error));
}

function errorBody(error: GatewayError, request?: string): JsonObject {
  const own = { type: typeOf(error), message: messageOf(error), details: detailsOf(error) };
  return { type: "error", error: own, request_id: request };
}

/** By these the official client goes on with the whole conversation where a thread can't be had, or continued. */
const NO_THREAD: ReadonlyMap<string | undefined, JsonObject> = new Map([
  ["thread", { error_code: "thread_unsupported_request", unsupported: ["thread"] }],
  ["thread.previous_message_id", { error_code: "thread_not_found" }],
]);

function detailsOf({ code, param, native }: GatewayError): JsonObject | undefined {
  return native?.details ?? (code === "unsupported_parameter" ? NO_THREAD.get(param) : undefined);
}

/** An upstream that speaks the API itself has said the type. */
function typeOf({ code, status, native }: GatewayError): string {
  return (
    native?.type ??
    TYPES[code] ??
    TYPES_BY_STATUS[status] ??
    (status < 500 ? "invalid_request_error" : "api_error")
  );
}

function messageOf({ code, message }: GatewayError): string {
  const isNamed = code !== "context_length_exceeded" || message.startsWith(TOO_LONG);
  return isNamed ? message : `${TOO_LONG}: ${message}`;
}

export const ERROR_SCHEMA = {
  type: "object",
  required: ["type", "error"],
  properties: {
    type: { const: "error" },
    error: {
      type: "object",
      required: ["type", "message"],
      properties: {
        type: {
          type: "string",
          enum: [
            "invalid_request_error",
            "api_error",
            "billing_error",
            ...Object.values(TYPES_BY_STATUS),
          ].filter((type, index, all) => all.indexOf(type) === index),
        },
        message: { type: "string" },
        details: { type: "object" },
      },
    },
    request_id: { type: "string" },
  },
};
