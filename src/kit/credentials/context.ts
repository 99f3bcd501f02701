import type { Host, Json } from "../../contract/index.ts";
import { systemClock } from "../clock.ts";
import type { Clock } from "../clock.ts";
import type { Jobs } from "./jobs.ts";
import type { CredentialStore } from "./store.ts";
import type { CredentialSource, PoolOptions } from "./types.ts";

/** A pool's options, with what was left out filled in. Times in milliseconds. */
export interface Settings {
  readonly min: number;
  readonly max: number;
  readonly leases: number;
  readonly probes: number;
  readonly refreshBefore: number;
  readonly verifyAfter: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** What the parts of a pool share. */
export interface PoolContext<C extends Json> {
  readonly source: CredentialSource<C>;
  readonly settings: Settings;
  readonly host: Host;
  readonly store: CredentialStore<C>;
  readonly jobs: Jobs;
  /** Aborted when the pool is closed. */
  readonly signal: AbortSignal;
}

/** Keeps a credential's secrets out of logs, errors and status. */
export function hide<C extends Json>({ source, host }: PoolContext<C>, credential: C): void {
  for (const secret of source.secrets(credential)) host.secret(secret);
}

const REFRESH_BEFORE = 5 * 60_000;
const VERIFY_AFTER = 6 * 60 * 60_000;

/** Fills in what was left out; a RangeError if the numbers contradict each other. */
export function withDefaults(options: PoolOptions): Settings {
  const { min, max, leases = Infinity, probes = 1 } = options;
  if (!(max >= 1)) throw new RangeError(`a credential pool's max is at least 1, not ${max}`);
  if (!(min >= 0 && min <= max)) {
    throw new RangeError(`a credential pool's min is between 0 and its max (${max}), not ${min}`);
  }
  if (!(leases >= 1)) throw new RangeError(`a credential takes at least 1 lease, not ${leases}`);
  if (!(probes >= 1)) throw new RangeError(`a credential is probed by at least 1 lease, not ${probes}`);
  return {
    min,
    max,
    leases,
    probes,
    refreshBefore: options.refreshBefore ?? REFRESH_BEFORE,
    verifyAfter: options.verifyAfter ?? VERIFY_AFTER,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}
