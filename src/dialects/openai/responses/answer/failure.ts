import type { GatewayError } from "../../../../errors/gateway-error.ts";

/** The codes by which clients decide whether they ask again. */
const OWN_CODES: ReadonlySet<string> = new Set([
  "context_length_exceeded",
  "rate_limit_exceeded",
  "insufficient_quota",
  "invalid_api_key",
  "model_not_allowed",
  "key_expired",
  "model_not_found",
]);

/** Returns what a Responses object says of its failure. */
export function failureOf({ code, status, message, retryAfterMs = 0 }: GatewayError): {
  code: string;
  message: string;
} {
  // Codex reads the time out of the message.
  const wait =
    code === "rate_limit_exceeded" && `; try again in ${Math.max(1, Math.ceil(retryAfterMs / 1000))}s`;
  return {
    code: OWN_CODES.has(code) ? code : status < 500 ? "invalid_prompt" : "server_error",
    message: wait ? message + wait : message,
  };
}
