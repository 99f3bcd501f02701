import { asNumber, asString, isObject, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json } from "modelyard/plugin";
import type { Clock } from "modelyard/kit";
import type { Supabase, SupabaseResponse } from "./supabase.ts";

/** A signed-in user's tokens, as GoTrue issues them. */
export interface Session {
  readonly userId: string;
  readonly accessToken: string;
  /** Single use: each refresh returns its successor. */
  readonly refreshToken: string;
  /** When the access token expires by the gateway's clock, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A client of Supabase Auth (GoTrue). https://supabase.com/docs/guides/auth */
export class GoTrue {
  readonly #supabase: Supabase;
  readonly #clock: Clock;

  constructor(supabase: Supabase, clock: Clock) {
    this.#supabase = supabase;
    this.#clock = clock;
  }

  /** Signs up an anonymous user. GoTrue limits sign-ups per IP address and hour. */
  async signUp(signal: AbortSignal): Promise<Session> {
    const body = { data: {}, gotrue_meta_security: {} };
    const answer = await this.#supabase.send({ method: "POST", path: "/auth/v1/signup", body, signal });
    return this.#session(answer);
  }

  /** Exchanges a refresh token for a new session. */
  async refresh(refreshToken: string, signal: AbortSignal): Promise<Session> {
    const path = "/auth/v1/token?grant_type=refresh_token";
    const body = { refresh_token: refreshToken };
    return this.#session(await this.#supabase.send({ method: "POST", path, body, signal }));
  }

  /** Resolves to whether the access token is still valid. Throws if the service doesn't answer the question. */
  async verify(token: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#supabase.send({ method: "GET", path: "/auth/v1/user", token, signal });
    if (answer.status === 401 || answer.status === 403) return false;
    if (!isObject(bodyOf(answer))) throw malformed("a user that is no object");
    return true;
  }

  #session(answer: SupabaseResponse): Session {
    const body = bodyOf(answer);
    const accessToken = asString(member(body, "access_token"));
    const refreshToken = asString(member(body, "refresh_token"));
    if (accessToken === "" || refreshToken === "") throw malformed("a session without tokens");
    const claims = claimsOf(accessToken);
    const userId = asString(member(member(body, "user"), "id")) || asString(member(claims, "sub"));
    if (userId === "") throw malformed("a session without a user");
    return { userId, accessToken, refreshToken, expiresAt: this.#expiresAt(body, claims) };
  }

  // `expires_in` goes first: the service's clock may differ from the gateway's.
  #expiresAt(body: Json | undefined, claims: Json | undefined): number {
    const lifetime = asNumber(member(body, "expires_in"));
    if (lifetime !== undefined) return this.#clock.now() + lifetime * 1000;
    const end = asNumber(member(body, "expires_at")) ?? asNumber(member(claims, "exp"));
    if (end === undefined) throw malformed("a session without an end");
    return end * 1000;
  }
}

/** Returns the body of a 2xx response. Throws the `UpstreamError` of any other. */
function bodyOf(answer: SupabaseResponse): Json | undefined {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw authError(answer);
}

/** Maps GoTrue's error responses. https://supabase.com/docs/guides/auth/debugging/error-codes */
function authError(answer: SupabaseResponse): UpstreamError {
  const failure = answer.error();
  if (member(answer.body, "error_code") === "anonymous_provider_disabled") {
    const advice = "configure accounts, and set anonymous to false";
    return new UpstreamError("rejected", `the service takes no anonymous users any more: ${advice}`);
  }
  // A request to GoTrue consists of the credential, so every other 4xx is the credential's fault.
  const isOurs = answer.status >= 400 && answer.status < 500 && failure.code !== "rate-limited";
  return isOurs && answer.status !== 408 ? new UpstreamError("rejected", failure.message) : failure;
}

function malformed(what: string): UpstreamError {
  return new UpstreamError("bad-response", `the service's sign-in gave ${what}`);
}

/** Returns the claims of a JWT without verifying it, which is the service's task. */
function claimsOf(token: string): Json | undefined {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Json;
  } catch {
    return undefined;
  }
}
