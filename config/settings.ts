/** What the gateway is built from: gateway.yaml after all checks, with durations in ms and sizes in bytes. */
export interface Settings {
  readonly server: ServerSettings;
  /** Entries whose key is empty are not among them. */
  readonly keys: readonly KeySettings[];
  readonly key_defaults: KeyDefaultSettings;
  /** In the order of the file; it has no prototype, so any name can be looked up. */
  readonly upstreams: Readonly<Record<string, UpstreamSettings>>;
  readonly routes: readonly RouteSettings[];
  readonly retry: RetrySettings;
  readonly health: HealthSettings;
  readonly cache: CacheSettings;
  readonly storage: StorageSettings;
  /** The user's own prices, which go before the shipped ones: the path as written, from the folder of gateway.yaml. */
  readonly prices?: string;
  readonly telemetry: TelemetrySettings;
}

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  readonly cors_origins: readonly string[];
  /** Bytes. */
  readonly max_body: number;
  /** Bytes, not less than `max_body`. */
  readonly max_bodies: number;
  /** Milliseconds. */
  readonly early_headers: number;
  /** Milliseconds. */
  readonly drain: number;
}

/** Exactly one of `key` and `key_sha256` is there. */
export interface KeySettings {
  readonly name: string;
  readonly key?: string;
  /** 64 hexadecimal digits in lower case. */
  readonly key_sha256?: string;
  readonly models: readonly string[];
  /** Its own limits; those that are left out are the defaults'. */
  readonly limits: LimitSettings;
  readonly budget?: BudgetSettings;
  /** Milliseconds since 1970. */
  readonly expires?: number;
}

/** How much may be asked; a limit that is left out is none. All are whole numbers of at least 1. */
export interface LimitSettings {
  readonly requests_per_minute?: number;
  readonly requests_per_day?: number;
  readonly tokens_per_minute?: number;
  readonly concurrent_requests?: number;
}

/** What may be spent within a calendar day, week (from Monday) or month, in UTC. At least one of both is there. */
export interface BudgetSettings {
  readonly usd?: number;
  readonly tokens?: number;
  readonly per: "day" | "week" | "month";
}

/** For keys that don't say otherwise. */
export interface KeyDefaultSettings {
  readonly limits: LimitSettings;
  /** The tokens that are reserved for an answer whose request doesn't bound it. */
  readonly output_estimate: number;
}

export interface UpstreamSettings {
  readonly plugin: string;
  readonly enabled: boolean;
  readonly optional: boolean;
  /** Expanded but not yet checked: that is `checkValue` with the plugin's schema. Of a disabled one: as written. */
  readonly options: unknown;
  readonly models?: readonly string[];
  readonly timeouts: TimeoutSettings;
  readonly limits: LimitSettings;
}

/** Milliseconds, all of them more than 0 and within a timer's reach. */
export interface TimeoutSettings {
  readonly queue: number;
  readonly connect: number;
  readonly first_event: number;
  readonly idle: number;
  readonly total: number;
}

export interface RouteSettings {
  readonly model: string;
  readonly strategy: "failover" | "weighted" | "least_busy" | "fastest" | "sticky";
  readonly targets: readonly TargetSettings[];
  readonly on_context_length: "fail" | "next";
}

/** `upstream` is a name in `upstreams`; it may be disabled. */
export interface TargetSettings {
  readonly upstream: string;
  readonly model?: string;
  readonly weight: number;
}

export interface RetrySettings {
  readonly attempts: number;
  /** Milliseconds. */
  readonly backoff: number;
  /** From 0 to 1. */
  readonly budget: number;
}

export interface HealthSettings {
  /** Milliseconds. */
  readonly window: number;
  readonly failures: number;
  /** Milliseconds. */
  readonly cooldown: number;
}

export interface CacheSettings {
  /** Bytes; 0: no cache. */
  readonly max_size: number;
  /** Bytes. */
  readonly max_entry: number;
  /** Milliseconds. */
  readonly ttl: number;
  readonly mode: "off" | "deterministic" | "all";
  readonly scope: "key" | "shared";
}

export interface StorageSettings {
  /** `sqlite:PATH`, the path as written. */
  readonly database: string;
  readonly secret?: string;
  /** How long rows of the usage ledger are kept, in milliseconds. */
  readonly retention: number;
}

export interface TelemetrySettings {
  readonly log: "pretty" | "json";
  readonly level: "debug" | "info" | "warn" | "error";
}
