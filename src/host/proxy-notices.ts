import type { ProxyResolver } from "../../config/environment.ts";
import { formatProxy } from "../../config/environment.ts";
import type { PlannedUpstream } from "./open-upstream.ts";

interface Planned {
  readonly upstreams: readonly Pick<PlannedUpstream, "id" | "options">[];
  /** Values of options that aren't looked at: an upstream's own proxy is one. */
  readonly secrets: readonly string[];
}

/**
 * Says which upstreams the environment's proxy stands in front of, as far as their options name their addresses, and
 * what else goes through it. Shows no password. Empty where the environment names no proxy.
 */
export function proxyNotices(
  { upstreams, secrets }: Planned,
  proxyFor: ProxyResolver | undefined,
): readonly string[] {
  if (!proxyFor) return [];
  const hidden = new Set(secrets);
  const notices = upstreams.flatMap(({ id, options }) => {
    const urls = addressesIn(options).filter((address) => !hidden.has(address));
    const proxies = urls.flatMap((address) => proxyFor(new URL(address)) ?? []).map(formatProxy);
    return [...new Set(proxies)].map((proxy) => `${id} is reached through ${proxy}`);
  });
  return [...notices, ...SCHEMES.flatMap((scheme) => generalNotice(scheme, proxyFor))];
}

const SCHEMES = ["http", "https"] as const;

/** Of a host that no exception names: presets have their addresses in code. */
function generalNotice(scheme: (typeof SCHEMES)[number], proxyFor: ProxyResolver): string[] {
  const proxy = proxyFor(new URL(`${scheme}://somewhere.invalid`));
  if (!proxy) return [];
  return [
    `the environment sends ${scheme}:// through ${formatProxy(proxy)}, except for NO_PROXY and this machine's own addresses`,
  ];
}

/** The HTTP addresses among an upstream's options. */
function addressesIn(value: unknown): string[] {
  if (typeof value === "string") return /^https?:\/\//i.test(value) && URL.canParse(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(addressesIn);
}
