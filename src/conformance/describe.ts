import type { UpstreamPlugin } from "../contract/index.ts";
import type { Fixtures } from "./fixtures.ts";

/** Registers the kit's rules as tests of `bun test`, level by level. */
export function describeUpstream(plugin: UpstreamPlugin, fixtures: Fixtures): void {
  throw new Error(`no rules yet for ${plugin.name} and ${fixtures.model}`);
}
