/**
 * A pool of credentials: makes them, refreshes them, lends them out, gives them a rest, replaces them, and
 * keeps them over restarts.
 * @module
 */
export { credentialPool } from "./pool.ts";
export type {
  CredentialAccount,
  CredentialPool,
  CredentialSource,
  Lease,
  LeaseCall,
  LeaseOptions,
  PoolOptions,
} from "./types.ts";
