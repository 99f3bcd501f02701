import type { LimitSettings, TimeoutSettings } from "../../config/settings.ts";
import type { Upstream } from "../contract/index.ts";

/** One upstream of gateway.yaml, open. */
export interface OpenUpstream {
  readonly id: string;
  readonly plugin: string;
  readonly upstream: Upstream;
  /** Patterns of the models it may offer; undefined: all it lists. */
  readonly models: readonly string[] | undefined;
  readonly timeouts: TimeoutSettings;
  /** What the gateway asks of it at most; undefined: any number. */
  readonly limits?: LimitSettings | undefined;
  close(): Promise<void>;
}
