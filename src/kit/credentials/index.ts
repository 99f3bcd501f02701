/**
 * Credentials of an upstream: several API keys, or a pool of credentials that are made, refreshed and kept.
 * Published as `modelyard/credentials`.
 * @module
 */
export { apiKeyOption, ApiKeys } from "./api-keys.ts";
export type { ApiKey } from "./api-keys.ts";
export { CredentialExclusions, withOtherCredential } from "./exclusions.ts";
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
