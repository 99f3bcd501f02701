import { asNumber, asString, isObject, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json } from "modelyard/plugin";
import type { Clock } from "modelyard/kit";
import type { Answer, Supabase } from "./supabase.ts";

/** What GoTrue gives to someone who is signed in. */
export interface Session {
  readonly userId: string;
  readonly accessToken: string;
  /** Good for one use: each refresh gives the next. */
  readonly refreshToken: string;
  /** When the access token ends, by our clock, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Supabase Auth (GoTrue), as far as this plugin needs it. https://supabase.com/docs/guides/auth */
export class Auth {
  readonly #supabase: Supabase;
  readonly #clock: Clock;

  constructor(supabase: Supabase, clock: Clock) {
    this.#supabase = supabase;
    this.#clock = clock;
  }

  /** Signs up an anonymous user. GoTrue counts these by address and hour. */
  async signUp(signal: AbortSignal): Promise<Session> {
    const body = { data: {}, gotrue_meta_security: {} };
    const answer = await this.#supabase.ask({ method: "POST", path: "/auth/v1/signup", body, signal });
    return this.#session(answer);
  }

  /** Trades a refresh token for a new session. */
  async refresh(refreshToken: string, signal: AbortSignal): Promise<Session> {
    const path = "/auth/v1/token?grant_type=refresh_token";
    const body = { refresh_token: refreshToken };
    return this.#session(await this.#supabase.ask({ method: "POST", path, body, signal }));
  }

  /** Whether the access token is still good; throws if that can't be said. */
  async verify(token: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#supabase.ask({ method: "GET", path: "/auth/v1/user", token, signal });
    if (answer.status === 401 || answer.status === 403) return false;
    if (!isObject(successful(answer))) throw malformed("a user that is no object");
    return true;
  }

  #session(answer: Answer): Session {
    const body = successful(answer);
    const accessToken = asString(member(body, "access_token"));
    const refreshToken = asString(member(body, "refresh_token"));
    if (accessToken === "" || refreshToken === "") throw malformed("a session without tokens");
    const claims = claimsOf(accessToken);
    const userId = asString(member(member(body, "user"), "id")) || asString(member(claims, "sub"));
    if (userId === "") throw malformed("a session without a user");
    return { userId, accessToken, refreshToken, expiresAt: this.#expiry(body, claims) };
  }

  /** By `expires_in` where it is given, because the service's clock need not agree with ours. */
  #expiry(body: Json | undefined, claims: Json | undefined): number {
    const lifetime = asNumber(member(body, "expires_in"));
    if (lifetime !== undefined) return this.#clock.now() + lifetime * 1000;
    const end = asNumber(member(body, "expires_at")) ?? asNumber(member(claims, "exp"));
    if (end === undefined) throw malformed("a session without an end");
    return end * 1000;
  }
}

/** The body of an answer that says yes; throws what any other stands for. */
function successful(answer: Answer): Json | undefined {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw refusal(answer);
}

/** GoTrue's errors. https://supabase.com/docs/guides/auth/debugging/error-codes */
function refusal(answer: Answer): UpstreamError {
  const failure = answer.failure();
  if (member(answer.body, "error_code") === "anonymous_provider_disabled") {
    const advice = "configure accounts, and set anonymous to false";
    return new UpstreamError("rejected", `the service takes no anonymous users any more: ${advice}`);
  }
  // Whoever asks GoTrue is the credential, so what GoTrue finds wrong with the question is the credential's fault.
  const isOurs = answer.status >= 400 && answer.status < 500 && failure.code !== "rate-limited";
  return isOurs && answer.status !== 408 ? new UpstreamError("rejected", failure.message) : failure;
}

function malformed(what: string): UpstreamError {
  return new UpstreamError("bad-response", `the service's sign-in gave ${what}`);
}

/** The claims of a JWT, unverified: it is the service that checks them. */
function claimsOf(token: string): Json | undefined {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Json;
  } catch {
    return undefined;
  }
}
