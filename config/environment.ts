import { BlockList, isIP } from "node:net";
import type { Environment } from "./document/expand.ts";

/** The environment of this process; no other file reads it. */
export const PROCESS_ENVIRONMENT: Environment = process.env;

/** Bun's own limit when BUN_CONFIG_MAX_HTTP_REQUESTS is not set. */
const DEFAULT_HTTP_REQUESTS = 256;

/** Returns how many outgoing HTTP requests Bun allows at once in this process, open streams included. */
export function maxHttpRequests(environment: Environment = PROCESS_ENVIRONMENT): number {
  return Number(environment["BUN_CONFIG_MAX_HTTP_REQUESTS"]) || DEFAULT_HTTP_REQUESTS;
}

/** Returns what sends requests to upstreams: `own`, the gateway's client, unless `MODELYARD_HTTP_CLIENT` is set. */
export function httpClient(environment: Environment = PROCESS_ENVIRONMENT): string {
  return environment["MODELYARD_HTTP_CLIENT"] || "own";
}

/** Returns whether a script of package.json started this process, as `bun run start` does. */
export function isRunByScript(environment: Environment = PROCESS_ENVIRONMENT): boolean {
  return environment["npm_lifecycle_event"] !== undefined;
}

/** Returns the proxy for an address, with its password, or undefined where the address is reached directly. */
export type ProxyResolver = (url: URL) => URL | undefined;

/**
 * Returns the resolver for the proxies of the environment, by the rules of Bun's `fetch`
 * (https://bun.com/docs/runtime/networking/fetch#proxying-requests) except that this machine is never reached through
 * one; undefined where the environment names none.
 */
export function proxyResolver(environment: Environment = PROCESS_ENVIRONMENT): ProxyResolver | undefined {
  const all = proxyIn(environment, "all_proxy");
  const proxies: Readonly<Record<string, URL | undefined>> = {
    "http:": proxyIn(environment, "http_proxy") ?? all,
    "https:": proxyIn(environment, "https_proxy") ?? all,
  };
  if (!proxies["http:"] && !proxies["https:"]) return undefined;
  const exceptions = (environment["no_proxy"] || environment["NO_PROXY"] || "")
    .split(/[\s,]+/)
    .filter(Boolean);
  return (url) => {
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
    if (isLoopback(host)) return undefined;
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    return exceptions.some((exception) => isExcepted(exception, host, port))
      ? undefined
      : proxies[url.protocol];
  };
}

/** Formats the scheme, host and port of a proxy, without its user and password. */
export function formatProxy({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}

/** Reads one variable as an HTTP proxy; any other kind of proxy is ignored, as Bun does. */
function proxyIn(environment: Environment, name: string): URL | undefined {
  const value = environment[name] || environment[name.toUpperCase()] || "";
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  return url && /^https?:$/.test(url.protocol) ? url : undefined;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === "localhost" || host.endsWith(".localhost");
  return LOOPBACK.check(host, family === 6 ? "ipv6" : "ipv4");
}

function isExcepted(exception: string, host: string, port: string): boolean {
  if (exception === "*") return true;
  const lower = exception.toLowerCase();
  const subnet = /^\[?([^\]/]+)\]?\/(\d+)$/.exec(lower);
  if (subnet) return isIn(host, subnet[1] ?? "", Number(subnet[2]));
  const [, bracketed, plain, only] = /^(?:\[(.+)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(lower) ?? [];
  if (only !== undefined && only !== port) return false;
  const name = (bracketed ?? plain ?? lower).replace(/^\*?\./, "").replace(/\.$/, "");
  return name !== "" && (host === name || (isIP(host) === 0 && host.endsWith(`.${name}`)));
}

function isIn(host: string, network: string, prefix: number): boolean {
  const family = isIP(host);
  if (family === 0 || isIP(network) !== family || prefix > (family === 6 ? 128 : 32)) return false;
  const block = new BlockList();
  const type = family === 6 ? "ipv6" : "ipv4";
  block.addSubnet(network, prefix, type);
  return block.check(host, type);
}
