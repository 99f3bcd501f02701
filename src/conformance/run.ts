import type { UpstreamPlugin } from "../contract/index.ts";
import type { Fixtures } from "./fixtures.ts";
import type { Report } from "./report.ts";

export interface TestOptions {
  /** Only the rules whose ids begin so: `4`, `2.3`. Default: all. */
  readonly only?: string;
  /** How long anything may take that should happen at once, in milliseconds. Default 3,000. */
  readonly patience?: number;
}

/** Puts a plugin to the kit's rules. Never rejects: what goes wrong is in the report. */
export async function testUpstream(
  plugin: UpstreamPlugin,
  fixtures: Fixtures,
  options: TestOptions = {},
): Promise<Report> {
  throw new Error(`no rules yet for ${plugin.name}, ${fixtures.model}, ${options.only}`);
}
