import { stringifyJson } from "../../json/json-text.ts";
import type { GatewayError } from "../../errors/gateway-error.ts";

/** OpenAI's error object: `{"error": {message, type, param, code}}`. */
export function errorBody(error: GatewayError): string {
  const { message, type, param, code, upstreamCode } = error;
  return stringifyJson({ error: { message, type, param: param ?? null, code: upstreamCode ?? code } });
}
