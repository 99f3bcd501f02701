import { checkValue } from "../../config/check.ts";
import type { LoadedConfig, LoadedUpstream } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { UpstreamPlugin } from "../contract/index.ts";
import type { PlannedUpstream } from "./open-upstream.ts";
import { PluginError } from "./plugin-error.ts";
import { loadPlugin } from "./resolve.ts";

/** The upstreams of a configuration after their plugins were loaded and their options checked. */
export interface PlannedUpstreams {
  /** Upstreams with a loaded plugin and valid options. */
  readonly upstreams: readonly PlannedUpstream[];
  /** Optional upstreams whose plugin can't be loaded. */
  readonly unloadable: readonly UnloadableUpstream[];
  /** Errors that prevent the gateway from starting. */
  readonly problems: readonly Problem[];
  /** Option values that must not appear in logs or answers. */
  readonly secrets: readonly string[];
}

/** An optional upstream whose plugin can't be loaded, with the reason. */
export interface UnloadableUpstream {
  readonly id: string;
  readonly problem: Problem;
}

/** Loads the plugins of a configuration and validates their options. */
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

/** Loads the plugin of an upstream. Returns a problem if it can't be loaded or has the name of another plugin. */
async function loadNamed(
  { plugin: source, path }: LoadedUpstream,
  loaded: readonly Named[],
  { directory, document }: LoadedConfig,
): Promise<UpstreamPlugin | { readonly problem: Problem }> {
  try {
    const plugin = await loadPlugin(source, directory);
    const other = loaded.find((earlier) => earlier.plugin.name === plugin.name && earlier.plugin !== plugin);
    if (!other) return plugin;
    // Logs and errors couldn't distinguish the two.
    const { id, plugin: theirs } = other.upstream;
    throw new PluginError(
      `this plugin calls itself "${plugin.name}", and so does ${theirs} of the upstream "${id}"`,
      {
        hint: `change \`name\` in one of them, or write plugin: ${theirs} here if the same is meant`,
      },
    );
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    return { problem: document.problem([...path.slice(0, -1), "plugin"], error) };
  }
}
