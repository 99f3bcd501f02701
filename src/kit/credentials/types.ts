import type { Call, Json, JsonObject } from "../../contract/index.ts";
import type { Clock } from "../clock.ts";

/**
 * How a pool learns of credentials. `C` is JSON: it is kept in `host.storage`. What a source throws says whom
 * to blame: `UpstreamError` `rejected` or `bad-request` condemns the credential, `rate-limited` asks for
 * patience (`retryAfterMs` is obeyed), anything else is taken as weather.
 */
export interface CredentialSource<C extends Json> {
  /** A stable name for the credential: it survives refreshes, and is no secret. */
  identify(credential: C): string;
  /** The values to be kept out of logs: `host.secret` is called with each. */
  secrets(credential: C): readonly string[];
  /** When it stops being good, in milliseconds since 1970; undefined: never. */
  expiresAt?(credential: C): number | undefined;
  /** Makes a new one (an anonymous sign-up). Absent: only `accounts` are used. */
  create?(signal: AbortSignal): Promise<C>;
  /**
   * Exchanges it for a newer one before it expires. Refresh tokens rotate, so the result is stored before it
   * is used, and an old one is never offered again once a newer one came back. One that can't be refreshed
   * for other reasons than its own is kept and tried again, but not lent after its expiry.
   */
  refresh?(credential: C, signal: AbortSignal): Promise<C>;
  /**
   * Asks whether one is still good that was long unused, or that comes from the storage like another one that
   * was rejected.
   */
  verify?(credential: C, signal: AbortSignal): Promise<boolean>;
  /**
   * Configured accounts: each is opened once and then kept like any other credential. `id` must be stable and
   * no secret (a short hash, say): one that was used up is not tried again until its id changes.
   */
  accounts?: readonly CredentialAccount<C>[];
  /** Its share of the work beside the others, above 0. Without it the one with the fewest leases is lent. */
  weight?(credential: C): number;
  /**
   * True where a credential that is refused may be put right by its owner (a bill is paid): instead of being
   * retired it rests, at first for a minute or as long as it lives, and is tried again.
   */
  readonly retryRejected?: boolean;
  /** Told when a credential is retired for good, so that what hangs on it (a socket) can be closed. */
  onRetired?(id: string): void;
}

/** An account that the configuration gives, and how a credential is got from it. */
export interface CredentialAccount<C extends Json> {
  readonly id: string;
  open(signal: AbortSignal): Promise<C>;
}

export interface PoolOptions {
  /** How many are kept in the background, those included that must rest for a while. */
  readonly min: number;
  /** How many there may be, those that cool and those being made included. */
  readonly max: number;
  /** How many leases one credential may have at once; without it there is no bound. */
  readonly leases?: number;
  /** How many leases one that has rested may have until the upstream has taken it; 1 unless told. */
  readonly probes?: number;
  /** How long before its expiry a credential is refreshed, in milliseconds; 5 minutes unless told. */
  readonly refreshBefore?: number;
  /** After how long without use a credential is verified before it is trusted, in milliseconds; 6 hours unless told. */
  readonly verifyAfter?: number;
  readonly clock?: Clock;
  /** A number from 0 up to 1, for the jitter of back-offs. */
  readonly random?: () => number;
}

/** Credentials that are made, refreshed, lent out, given a rest and replaced, for as long as an upstream is open. */
export interface CredentialPool<C extends Json> {
  /**
   * Loads the stored credentials, opens the accounts and fills up to `min`, all in the background. Nothing
   * before it touches the network or the storage.
   */
  start(): void;
  /**
   * Lends a credential that is good now, and waits for one in the order of asking. Rejects with the reason of
   * `call.signal` or of the host's, or with `UpstreamError` `no-credential` when none can become usable
   * within 2 s: its `retryAfterMs` says when that may be. While it waits, `call.queued()` holds the deadlines.
   */
  lease(call: LeaseCall, options?: LeaseOptions): Promise<Lease<C>>;
  /** True if a lease could be had at once. */
  isAvailable(options?: LeaseOptions): boolean;
  /** True if who asks for a lease now is not sent away with `no-credential`, but served or let wait. */
  mayBecomeAvailable(options?: Pick<LeaseOptions, "except">): boolean;
  /** For people: counts by state, and each credential's short id, state, leases and last error. No secrets. */
  status(): JsonObject;
}

/** For which call a credential is leased; what a plugin leases for work of its own has no `queued`. */
export type LeaseCall = Pick<Call, "id" | "signal"> & Partial<Pick<Call, "queued">>;

export interface LeaseOptions {
  /** Only a credential that has no other lease, and gets none meanwhile. */
  readonly exclusive?: boolean;
  /** None of the credentials with these versions (`lease.version`), as `Refusals` remembers them. */
  readonly except?: ReadonlySet<string>;
}

/** The loan of a credential. It is given back when disposed of; doing that twice is harmless. */
export interface Lease<C extends Json> extends Disposable {
  /** The credential's name, as `identify` says. */
  readonly id: string;
  /** Names this very credential, for `except`: after a refresh it is another. */
  readonly version: string;
  /** The credential as it was when it was lent. */
  readonly credential: C;
  /** The credential as it is now: newer where it was refreshed since it was lent. */
  readonly newest: C;
  /**
   * Keeps the lease after it was disposed of until `cleanUp` is settled, such as ending what runs at the upstream; at
   * most 30 s. Closing the pool waits for it, too.
   */
  keepUntil(cleanUp: Promise<unknown>): void;
  /**
   * Tells how the call failed, also after it was given back. After `rejected` the credential is refreshed; one that is
   * refused though it was just refreshed for that reason is retired, or rests where the source has `retryRejected`.
   * `rate-limited` lets it cool for `retryAfterMs`, or
   * 5 s and twice as long each time up to 10 min; anything else isn't blamed on the credential.
   */
  failed(error: unknown): void;
  /** Tells that the upstream took the credential: it is trusted again, and its back-off starts anew. */
  succeeded(): void;
}
