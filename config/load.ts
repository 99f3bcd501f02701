import type { ConfigDocument, Path } from "./document.ts";
import type { Problem } from "./problem.ts";
import type { Settings } from "./schema.ts";

/** A configuration file as far as it could be understood. */
export interface LoadedConfig {
  /** As the caller named it. */
  readonly file: string;
  /** The absolute folder of the file; relative paths in it start from here. */
  readonly directory: string;
  readonly document: ConfigDocument;
  /** `undefined` when there are problems. */
  readonly settings: Settings | undefined;
  /** The enabled upstreams that are well-formed enough to load their plugin, also when the rest is wrong. */
  readonly upstreams: readonly LoadedUpstream[];
  readonly problems: readonly Problem[];
}

export interface LoadedUpstream {
  readonly id: string;
  readonly plugin: string;
  /** Expanded, not yet checked: `checkValue(plugin.options, options, { document, path })`. */
  readonly options: unknown;
  /** Where `options` stand in the document. */
  readonly path: Path;
}

/** Reads, expands and checks a configuration file. Never throws for a user's mistake: it is in `problems`. */
export declare function loadConfig(
  file: string,
  environment?: Readonly<Record<string, string | undefined>>,
): Promise<LoadedConfig>;

/** The configuration file to use: `--config PATH`, `--config=PATH`, `GATEWAY_CONFIG`, else `gateway.yaml`. */
export declare function configPath(
  argv: readonly string[],
  environment?: Readonly<Record<string, string | undefined>>,
): string;
