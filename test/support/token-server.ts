import type { CredentialAccount, CredentialSource } from "modelyard/credentials";
import { UpstreamError } from "modelyard/plugin";
import type { FakeClock } from "./fake-clock.ts";

/** What the server gives to those who sign up. A type, not an interface, because it must be JSON. */
export type Session = {
  readonly user: string;
  readonly access: string;
  readonly refresh: string;
  readonly expires: number;
};

/** Changes to the server's source; undefined takes something away. */
export type SourceChanges = {
  [K in keyof CredentialSource<Session>]?: CredentialSource<Session>[K] | undefined;
};

interface User {
  refresh: string;
  revoked: boolean;
}

/** What to do with one call. */
export interface Trouble {
  /** How long it takes until the server begins with it, in milliseconds. */
  readonly takes?: number;
  /** How long the answer takes after the deed is done: a refresh token that was rotated stays rotated. */
  readonly answers?: number;
  /** Fail with this, and do nothing. */
  readonly error?: Error;
}

/**
 * A sign-up service in memory, by a fake clock: refresh tokens rotate, and one that is used twice revokes its
 * whole family, as GoTrue does it. `trouble` is asked before each call.
 */
export class TokenServer {
  readonly clock: FakeClock;
  lifetime = 60 * 60_000;
  trouble: (operation: "create" | "refresh" | "verify" | "open") => Trouble | undefined = () => undefined;
  /** How often each operation was called. */
  readonly calls = { create: 0, refresh: 0, verify: 0, open: 0 };
  /** How many `create` and `open` run now, and the most that ever did at the same time. */
  making = 0;
  mostMaking = 0;
  /** How many calls were ended by their signal. */
  aborted = 0;
  /** How often a refresh token came a second time. */
  reused = 0;
  readonly retired: string[] = [];
  readonly #users = new Map<string, User>();
  #serial = 0;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** The source of a pool. */
  source(changes: SourceChanges = {}): CredentialSource<Session> {
    const whole: CredentialSource<Session> = {
      identify: (session) => session.user,
      secrets: (session) => [session.access, session.refresh],
      expiresAt: (session) => session.expires,
      create: (signal) => this.#make("create", signal),
      refresh: (session, signal) => this.#refresh(session, signal),
      verify: (session, signal) => this.#verify(session, signal),
      onRetired: (id) => void this.retired.push(id),
    };
    return { ...whole, ...changes } as CredentialSource<Session>;
  }

  /** An account as the configuration gives it. */
  account(id: string): CredentialAccount<Session> {
    return { id, open: (signal) => this.#make("open", signal) };
  }

  /** From now on the server knows nothing of this user. */
  revoke(user: string): void {
    this.#user(user).revoked = true;
  }

  /** True if the server would take this access token now. */
  accepts(session: Session): boolean {
    return !this.#user(session.user).revoked && this.clock.now() < session.expires;
  }

  async #make(operation: "create" | "open", signal: AbortSignal): Promise<Session> {
    this.calls[operation]++;
    this.making++;
    this.mostMaking = Math.max(this.mostMaking, this.making);
    try {
      await this.#suffer(operation, signal);
      const user = `user-${++this.#serial}`;
      this.#users.set(user, { refresh: "", revoked: false });
      return this.#issue(user);
    } finally {
      this.making--;
    }
  }

  async #refresh(session: Session, signal: AbortSignal): Promise<Session> {
    this.calls.refresh++;
    const { answers = 0 } = await this.#suffer("refresh", signal);
    const user = this.#user(session.user);
    if (!user.revoked && user.refresh !== session.refresh) {
      this.reused++;
      user.revoked = true;
    }
    if (user.revoked) throw new UpstreamError("bad-request", "refresh_token_not_found");
    const next = this.#issue(session.user);
    if (answers > 0) await this.#wait(answers, signal);
    return next;
  }

  async #verify(session: Session, signal: AbortSignal): Promise<boolean> {
    this.calls.verify++;
    await this.#suffer("verify", signal);
    return this.accepts(session);
  }

  async #suffer(operation: keyof TokenServer["calls"], signal: AbortSignal): Promise<Trouble> {
    const trouble = this.trouble(operation) ?? {};
    if (trouble.takes) await this.#wait(trouble.takes, signal);
    if (trouble.error !== undefined) throw trouble.error;
    return trouble;
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cancel = this.clock.after(ms, resolve);
    const abort = (): void => {
      this.aborted++;
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", abort));
  }

  #issue(user: string): Session {
    const serial = ++this.#serial;
    const refresh = `refresh-${serial}`;
    this.#user(user).refresh = refresh;
    return { user, access: `access-${serial}`, refresh, expires: this.clock.now() + this.lifetime };
  }

  #user(id: string): User {
    const user = this.#users.get(id);
    if (!user) throw new Error(`the server has never heard of ${id}`);
    return user;
  }
}
