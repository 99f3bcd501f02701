import type { Call, Json, JsonObject } from "../../contract/index.ts";
import { systemClock } from "../clock.ts";
import type { Clock } from "../clock.ts";

/**
 * How a pool gets, refreshes and checks credentials. `C` is JSON, because credentials are kept in `host.storage`. The
 * errors that a source throws decide what follows: `UpstreamError` `rejected` or `bad-request` means that the
 * credential is invalid, `rate-limited` delays the next try (`retryAfterMs` is obeyed), and any other error counts as
 * temporary.
 */
export interface CredentialSource<C extends Json> {
  /** Returns a stable name of the credential, which is no secret and stays the same after a refresh. */
  identify(credential: C): string;
  /** Returns the values to keep out of logs: `host.secret` is called with each. */
  secrets(credential: C): readonly string[];
  /** Returns the expiry in milliseconds since 1970; undefined means never. */
  expiresAt?(credential: C): number | undefined;
  /** Creates a new credential, such as an anonymous sign-up. Without it only `accounts` are used. */
  create?(signal: AbortSignal): Promise<C>;
  /**
   * Exchanges a credential for a newer one before it expires. Refresh tokens rotate, so the result is stored before it
   * is used, and a credential is never refreshed again once it was replaced. After a temporary error the credential is
   * kept and tried again, but not lent after its expiry.
   */
  refresh?(credential: C, signal: AbortSignal): Promise<C>;
  /**
   * Resolves to whether a credential is still valid. Called for one that was unused for long, and for those restored
   * from storage after another restored one was rejected.
   */
  verify?(credential: C, signal: AbortSignal): Promise<boolean>;
  /**
   * The configured accounts: each is opened once and then kept like any other credential. `id` must be stable and no
   * secret, such as a short hash: a retired account is not opened again until its id changes.
   */
  accounts?: readonly CredentialAccount<C>[];
  /** Returns the credential's share of the requests, above 0. Without it the one with the fewest leases is lent. */
  weight?(credential: C): number;
  /**
   * Set where the owner can repair a rejected credential, for example by paying a bill: instead of being retired it
   * cools down, for a minute or its lifetime at first, and is tried again.
   */
  readonly retryRejected?: boolean;
  /** Called when a credential is retired for good and has no lease left, so that its connections can be closed. */
  onRetired?(id: string): void;
}

/** A configured account and how to get its credential. */
export interface CredentialAccount<C extends Json> {
  readonly id: string;
  open(signal: AbortSignal): Promise<C>;
}

/** The sizes and times of a pool. */
export interface PoolOptions {
  /** How many credentials are kept ready, including those that are cooling. */
  readonly min: number;
  /** The most credentials there may be, including those that are cooling or being created. */
  readonly max: number;
  /** The most leases of one credential at once; unlimited by default. */
  readonly leases?: number;
  /** The most leases of a credential that has cooled down until the upstream accepts it; 1 by default. */
  readonly probes?: number;
  /** How long before its expiry a credential is refreshed, in milliseconds; 5 minutes by default. */
  readonly refreshBefore?: number;
  /** After how long without use a credential is verified before it is lent, in milliseconds; 6 hours by default. */
  readonly verifyAfter?: number;
  readonly clock?: Clock;
  /** Returns a number from 0 up to 1, for the jitter of back-offs. */
  readonly random?: () => number;
}

/** Credentials that are created, refreshed, lent, rested and replaced while an upstream is open. */
export interface CredentialPool<C extends Json> {
  /**
   * Loads the stored credentials, opens the accounts and creates credentials up to `min`, all in the background. The
   * pool uses neither network nor storage before.
   */
  start(): void;
  /**
   * Resolves to a lease of a usable credential; calls are served in order. Rejects with the reason of `call.signal` or
   * of the host's signal, or with `UpstreamError` `no-credential` if none can become usable within 2 s; its
   * `retryAfterMs` says when one may. While the call waits, `call.queued()` suspends the other deadlines.
   */
  lease(call: LeaseCall, options?: LeaseOptions): Promise<Lease<C>>;
  /** Returns whether a lease could be had at once. */
  isAvailable(options?: LeaseOptions): boolean;
  /** Returns whether `lease` would resolve or wait now, rather than reject with `no-credential`. */
  mayBecomeAvailable(options?: Pick<LeaseOptions, "except">): boolean;
  /** Returns counts by state, and each credential's short id, state, leases and last error. Contains no secrets. */
  status(): JsonObject;
}

/** The call that a credential is leased for. A lease for the plugin's own work has no `queued`. */
export type LeaseCall = Pick<Call, "id" | "signal"> & Partial<Pick<Call, "queued">>;

/** Which credentials a lease may be of. */
export interface LeaseOptions {
  /** Only a credential without other leases, which gets none while this lease lasts. */
  readonly exclusive?: boolean;
  /** No credential with one of these versions (`lease.version`), as `CredentialExclusions` collects them. */
  readonly except?: ReadonlySet<string>;
}

/** The right to use a credential. Disposing returns it to the pool; disposing twice does no harm. */
export interface Lease<C extends Json> extends Disposable {
  /** The credential's name from `identify`. */
  readonly id: string;
  /** Identifies the credential and its last refresh, for `except`. */
  readonly version: string;
  /** The credential at the time of the lease. */
  readonly credential: C;
  /** The credential now, newer if it was refreshed since the lease began. */
  readonly newest: C;
  /**
   * Keeps the lease after its disposal until `cleanUp` settles, for example to stop a job at the upstream; at most
   * 30 s. Closing the pool waits for it, too.
   */
  keepUntil(cleanUp: Promise<unknown>): void;
  /**
   * Reports how the call failed; allowed after the disposal, too. `rejected` refreshes the credential; if it was just
   * refreshed for that reason or can't be, it is retired, or cools down where the source has `retryRejected`.
   * `rate-limited` and `out-of-credit` cool it down for `retryAfterMs`, or else for 5 s, doubled each time up to
   * 10 min. Any other error says nothing about the credential.
   */
  failed(error: unknown): void;
  /** Reports that the upstream accepted the credential, which resets its back-off. */
  succeeded(): void;
}

const REFRESH_BEFORE = 5 * 60_000;
const VERIFY_AFTER = 6 * 60 * 60_000;

/** Fills in the defaults of a pool's options. Throws a `RangeError` if they contradict each other. */
export function withDefaults(options: PoolOptions): Required<PoolOptions> {
  const { min, max, leases = Infinity, probes = 1 } = options;
  if (!(max >= 1)) throw new RangeError(`expected a pool's max of at least 1, found ${max}`);
  if (!(min >= 0 && min <= max)) throw new RangeError(`expected a pool's min from 0 to ${max}, found ${min}`);
  if (!(leases >= 1)) throw new RangeError(`expected at least 1 lease for a credential, found ${leases}`);
  if (!(probes >= 1)) throw new RangeError(`expected at least 1 probe for a credential, found ${probes}`);
  const { refreshBefore = REFRESH_BEFORE, verifyAfter = VERIFY_AFTER } = options;
  const { clock = systemClock, random = Math.random } = options;
  return { min, max, leases, probes, refreshBefore, verifyAfter, clock, random };
}
