import type { GatewayFile } from "./schema/gateway.ts";
import type { KeySettings, RouteSettings, Settings, UpstreamSettings } from "./settings.ts";

/** A checked file in the shape the gateway is built from. */
export function settingsOf(file: GatewayFile): Settings {
  // Without a prototype, looking up an upstream called `constructor` finds one or nothing.
  const upstreams = Object.assign(Object.create(null) as Record<string, UpstreamSettings>, file.upstreams);
  const { cache, keys, routes } = file;
  return {
    ...file,
    cache: cacheOf(cache),
    keys: keys.flatMap(keyOf),
    upstreams,
    routes: routes.map(routeOf),
  };
}

/** No entry is larger than the whole cache, unless there is none. */
function cacheOf(cache: GatewayFile["cache"]): GatewayFile["cache"] {
  const { max_entry, max_size } = cache;
  return max_size === 0 ? cache : { ...cache, max_entry: Math.min(max_entry, max_size) };
}

type KeyEntry = GatewayFile["keys"][number];

/** An entry whose key is empty is no entry. */
function keyOf({ key: written = "", key_sha256, models = ["*"], ...rest }: KeyEntry): KeySettings[] {
  const key = written.trim();
  if (key !== "") return [{ ...rest, key, models }];
  return key_sha256 ? [{ ...rest, key_sha256: key_sha256.toLowerCase(), models }] : [];
}

function routeOf({ targets, ...route }: GatewayFile["routes"][number]): RouteSettings {
  return {
    strategy: "failover",
    on_context_length: "fail",
    ...route,
    targets: targets.map((target) => ({
      weight: 1,
      ...(typeof target === "string" ? { upstream: target } : target),
    })),
  };
}
