import type { LimitSettings, TimeoutSettings } from "../../config/settings.ts";
import type { Upstream } from "../contract/index.ts";

/** An upstream of gateway.yaml after its plugin has opened it. */
export interface OpenUpstream {
  readonly id: string;
  readonly plugin: string;
  readonly upstream: Upstream;
  /** Patterns of the models that it may offer; undefined: all listed ones. */
  readonly models: readonly string[] | undefined;
  readonly timeouts: TimeoutSettings;
  /** The gateway's own limits for its calls; undefined: none. */
  readonly limits?: LimitSettings | undefined;
  close(): Promise<void>;
}
