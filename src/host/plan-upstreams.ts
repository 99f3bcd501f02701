import { checkValue } from "../../config/check.ts";
import type { LoadedConfig, LoadedUpstream } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { UpstreamPlugin } from "../contract/index.ts";
import type { PlannedUpstream } from "./open-upstream.ts";
import { PluginError } from "./plugin-error.ts";
import { loadPlugin } from "./resolve.ts";

/** What became of the upstreams of a configuration. */
export interface PlannedUpstreams {
  /** Those whose plugin is loaded and whose options fit. */
  readonly upstreams: readonly PlannedUpstream[];
  /** The optional ones whose plugin can't be loaded. */
  readonly unloadable: readonly UnloadableUpstream[];
  /** What keeps the gateway from starting. */
  readonly problems: readonly Problem[];
  /** Values of the options that must never be seen. */
  readonly secrets: readonly string[];
}

/** An optional upstream without its plugin. */
export interface UnloadableUpstream {
  readonly id: string;
  readonly problem: Problem;
}

/** Loads the plugins of a configuration and checks their options. */
export async function planUpstreams(config: LoadedConfig): Promise<PlannedUpstreams> {
  const upstreams: PlannedUpstream[] = [];
  const unloadable: UnloadableUpstream[] = [];
  const problems: Problem[] = [];
  const secrets: string[] = [];
  const loaded: Named[] = [];
  for (const upstream of config.upstreams) {
    const { id, options, path } = upstream;
    const settings = config.settings?.upstreams[id];
    const plugin = await loadNamed(upstream, loaded, config);
    if ("problem" in plugin) {
      if (settings?.optional) unloadable.push({ id, problem: plugin.problem });
      else problems.push(plugin.problem);
      continue;
    }
    loaded.push({ upstream, plugin });
    const checked = checkValue(plugin.options, options, { document: config.document, path });
    problems.push(...checked.problems);
    secrets.push(...checked.secrets);
    if (settings) upstreams.push({ id, plugin, options: checked.value, settings });
  }
  return { upstreams, unloadable, problems, secrets };
}

interface Named {
  readonly upstream: LoadedUpstream;
  readonly plugin: UpstreamPlugin;
}

/** The plugin of an upstream, if it can be loaded and its name is no other plugin's. */
async function loadNamed(
  { plugin: source, path }: LoadedUpstream,
  loaded: readonly Named[],
  { directory, document }: LoadedConfig,
): Promise<UpstreamPlugin | { readonly problem: Problem }> {
  try {
    const plugin = await loadPlugin(source, directory);
    refuseNamesake(plugin, loaded);
    return plugin;
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    return { problem: document.problem([...path.slice(0, -1), "plugin"], error) };
  }
}

/** One plugin may serve many upstreams; two of one name couldn't be told apart in logs and errors. */
function refuseNamesake(plugin: UpstreamPlugin, loaded: readonly Named[]): void {
  const other = loaded.find((earlier) => earlier.plugin.name === plugin.name && earlier.plugin !== plugin);
  if (!other) return;
  const { id, plugin: source } = other.upstream;
  throw new PluginError(
    `this plugin calls itself "${plugin.name}", and so does ${source} of the upstream "${id}"`,
    { hint: `change \`name\` in one of them, or write plugin: ${source} here if the same is meant` },
  );
}
