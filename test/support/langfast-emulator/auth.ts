import type { JsonObject } from "../../../src/contract/json.ts";
import type { Journal } from "./journal.ts";
import type { UserRecord } from "./records.ts";
import { Refusal, Violation } from "./refusal.ts";
import { isObject } from "./text.ts";

const MAX_USERS = 10_000;

/** What this emulator reads of its own access tokens. */
interface Claims {
  readonly sub: string;
  readonly epoch: number;
  readonly exp: number;
}

/** An anonymous user and the state of its tokens. */
export class Account implements UserRecord {
  readonly id: string = crypto.randomUUID();
  sockets = 0;
  socketsOpened = 0;
  /** Access tokens of an earlier epoch aren't good any more. */
  epoch = 0;
  /** The epoch of the newest access token, and its end in seconds. */
  issued = { epoch: 0, expires: 0 };
  accessToken = "";
  refreshToken = "";
  refreshTokensUsed = 0;
  isRevoked = false;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get access(): "good" | "expired" | "revoked" {
    if (this.isRevoked) return "revoked";
    return this.holds(this.issued) ? "good" : "expired";
  }

  holds(token: { readonly epoch: number; readonly expires: number }): boolean {
    return token.epoch >= this.epoch && token.expires > this.#now() / 1000;
  }
}

/** Supabase auth: anonymous users, access tokens (JWT), refresh tokens that are good for one use. */
export class Accounts {
  readonly #accounts = new Map<string, Account>();
  readonly #secret = crypto.randomUUID();
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #lifetime: number;

  constructor(journal: Journal, now: () => number, lifetime: number) {
    this.#journal = journal;
    this.#now = now;
    this.#lifetime = lifetime;
  }

  get all(): readonly Account[] {
    return [...this.#accounts.values()];
  }

  /** The account of this id; throws if there is none. */
  get(userId: string): Account {
    const account = this.#accounts.get(userId);
    if (!account) throw new Error(`no user ${userId}`);
    return account;
  }

  /** Makes a user; gives the body of the answer. */
  signUp(body: unknown): JsonObject {
    if (!isObject(body)) throw new Violation(400, "the sign-up has no JSON object", "bad_json");
    const strange = Object.keys(body).filter((name) => name !== "data" && name !== "gotrue_meta_security");
    if (strange.length > 0) throw new Violation(422, `not an anonymous sign-up: ${strange.join(", ")}`);
    const account = new Account(this.#now);
    this.#accounts.set(account.id, account);
    const [oldest] = this.#accounts.keys();
    if (this.#accounts.size > MAX_USERS && oldest !== undefined) this.#accounts.delete(oldest);
    this.#journal.did("signups");
    return this.#session(account);
  }

  /** Trades a refresh token for a new session. One that was used before costs the user everything. */
  refresh(body: unknown): JsonObject {
    const token = isObject(body) ? body["refresh_token"] : undefined;
    if (typeof token !== "string") throw new Violation(400, "no refresh_token given", "validation_failed");
    const account = this.#accounts.get(token.split(".")[0] ?? "");
    if (!account) throw new Violation(400, `unknown refresh token ${token}`, "refresh_token_not_found");
    if (account.isRevoked) throw new Refusal(400);
    if (token !== account.refreshToken) {
      account.isRevoked = true;
      throw new Violation(400, `refresh token ${token} was used twice`, "refresh_token_not_found");
    }
    account.refreshTokensUsed++;
    this.#journal.did("refreshes");
    return this.#session(account);
  }

  /**
   * The account of an access token that is good; a Refusal if it isn't any more, a Violation if it never was.
   * GoTrue itself refuses with 403, everything behind it with 401.
   */
  verify(token: string, refusedWith = 401): Account {
    const claims = this.#claims(token);
    const account = claims && this.#accounts.get(claims.sub);
    if (!claims || !account) throw new Violation(401, "an access token that nobody gave out");
    if (account.isRevoked) throw new Refusal(refusedWith, "the session does not exist", "session_not_found");
    const held = account.holds({ epoch: claims.epoch, expires: claims.exp });
    if (!held) throw new Refusal(refusedWith, "invalid JWT: token is expired", "bad_jwt");
    return account;
  }

  /** What GoTrue says of a user. */
  describe(account: Account): JsonObject {
    return {
      id: account.id,
      aud: "authenticated",
      role: "authenticated",
      email: "",
      phone: "",
      is_anonymous: true,
      app_metadata: {},
      user_metadata: {},
      identities: [],
    };
  }

  #session(account: Account): JsonObject {
    const now = Math.floor(this.#now() / 1000);
    const expires = now + this.#lifetime;
    account.issued = { epoch: account.epoch, expires };
    account.refreshToken = `${account.id}.${crypto.randomUUID()}`;
    account.accessToken = this.#sign({
      sub: account.id,
      aud: "authenticated",
      role: "authenticated",
      is_anonymous: true,
      epoch: account.epoch,
      iat: now,
      exp: expires,
      jti: crypto.randomUUID(),
    });
    return {
      access_token: account.accessToken,
      token_type: "bearer",
      expires_in: this.#lifetime,
      expires_at: expires,
      refresh_token: account.refreshToken,
      user: this.describe(account),
    };
  }

  #sign(claims: JsonObject): string {
    const signed = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => base64url(JSON.stringify(part)));
    return [...signed, this.#signature(signed.join("."))].join(".");
  }

  #claims(token: string): Claims | undefined {
    const [header, claims, signature] = token.split(".");
    if (!claims || signature !== this.#signature(`${header}.${claims}`)) return undefined;
    return JSON.parse(Buffer.from(claims, "base64url").toString()) as Claims;
  }

  #signature(signed: string): string {
    return new Bun.CryptoHasher("sha256", this.#secret).update(signed).digest("base64url");
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
