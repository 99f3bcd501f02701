import type { JsonObject } from "../../../src/contract/json.ts";

/** Which part of the service answers: each has its own form of errors. */
export type Part = "auth" | "function" | "rest";

/** Why a call isn't carried out. */
export class Refusal extends Error {
  readonly status: number;
  readonly errorCode: string | undefined;

  constructor(status: number, message?: string, errorCode?: string) {
    super(message ?? USUAL[status]?.message ?? "refused");
    this.name = "Refusal";
    this.status = status;
    this.errorCode = errorCode ?? USUAL[status]?.errorCode;
  }
}

/** A refusal of something that no client of this service should do. */
export class Violation extends Refusal {}

// GoTrue's words: https://supabase.com/docs/guides/auth/debugging/error-codes
const USUAL: Record<number, { readonly errorCode: string; readonly message: string }> = {
  400: {
    errorCode: "refresh_token_not_found",
    message: "Invalid Refresh Token: Refresh Token Not Found",
  },
  401: { errorCode: "no_authorization", message: "Invalid JWT" },
  403: { errorCode: "bad_jwt", message: "invalid JWT: unable to parse or verify signature" },
  422: { errorCode: "anonymous_provider_disabled", message: "Anonymous sign-ins are disabled" },
  429: { errorCode: "over_request_rate_limit", message: "Request rate limit reached" },
  500: { errorCode: "unexpected_failure", message: "Unexpected failure, please check server logs" },
};

/** The body of an error as this part of the service writes it. */
export function errorBody(part: Part, refusal: Refusal): JsonObject {
  const { status, errorCode, message } = refusal;
  switch (part) {
    case "auth":
      return { code: status, error_code: errorCode, msg: message };
    case "rest":
      return { code: status === 401 ? "PGRST301" : "PGRST100", message, details: null, hint: null };
    case "function":
      return status === 401 ? { code: 401, message } : { error: message };
  }
}
