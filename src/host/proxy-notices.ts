import type { ProxyResolver } from "../../config/environment.ts";
import { formatProxy } from "../../config/environment.ts";
import type { PlannedUpstream } from "./open-upstream.ts";

interface Planned {
  readonly upstreams: readonly Pick<PlannedUpstream, "id" | "options">[];
  /** Secret option values, which are ignored: an upstream's own proxy URL is one. */
  readonly secrets: readonly string[];
}

/**
 * Returns notices about the upstreams that are reached through the environment's proxy, as far as their options contain
 * their URLs, and about other traffic. Passwords are removed. Returns nothing if the environment sets no proxy.
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

/** Returns the notice for hosts without an exception; plugins with presets have their URLs in code. */
function generalNotice(scheme: (typeof SCHEMES)[number], proxyFor: ProxyResolver): string[] {
  const proxy = proxyFor(new URL(`${scheme}://somewhere.invalid`));
  if (!proxy) return [];
  return [
    `the environment sends ${scheme}:// through ${formatProxy(proxy)}, except for NO_PROXY and this machine's own addresses`,
  ];
}

/** Returns the HTTP URLs in an upstream's options. */
function addressesIn(value: unknown): string[] {
  if (typeof value === "string") return /^https?:\/\//i.test(value) && URL.canParse(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(addressesIn);
}
