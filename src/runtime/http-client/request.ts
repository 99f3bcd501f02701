import type { CancelToken } from "../cancel-token.ts";
import { cancelTokenOf } from "../cancel-token.ts";
import { PIECES } from "../byte-source.ts";
import type { Origin } from "./connection.ts";

type FetchArguments = Parameters<typeof fetch>;
type Init = BunFetchRequestInit;

/** A request as it goes over the wire, and where it goes. */
export interface ClientRequest extends Address {
  /** In ASCII. */
  readonly head: string;
  readonly body: string | Uint8Array | undefined;
  readonly cancelling: CancelToken | undefined;
  /** True if the caller reads the answer's body as a `ByteSource`. */
  readonly takesPieces: boolean;
  /** The proxy that the caller has chosen. */
  readonly proxy: URL | undefined;
}

/** A server and a resource on it. */
interface Address {
  readonly origin: Origin;
  /** The same as a text: scheme, host and port. */
  readonly server: string;
  readonly url: string;
  /** Host and port, as in a URL. */
  readonly host: string;
  /** With its query. */
  readonly path: string;
}

/** The options that are understood here; a request with another one (`tls`, `credentials` …) is sent by `fetch`. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  "method",
  "headers",
  "body",
  "signal",
  "redirect",
  "timeout",
  "proxy",
]);

const USUAL_PORTS: ReadonlyMap<string, number> = new Map([
  ["http:", 80],
  ["https:", 443],
]);
const METHODS: ReadonlySet<unknown> = new Set(["GET", "POST"]);
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VISIBLE = /^[\t\x20-\x7e]*$/;
/** Headers that the client sets itself. */
const OWN: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "expect",
  "upgrade",
]);

/** Limit of the addresses that are kept; upstreams have a handful each. */
const MAX_ADDRESSES = 512;

const encoder = new TextEncoder();

/** Requests up to this are put together without memory of their own. */
const SCRATCH_BYTES = 512 * 1024;

/**
 * The request that these arguments of `fetch` stand for, if it is a plain one: GET or POST to a server, with a text or bytes for a body, whose answer's redirects are not followed.
 */
export function fastPathRequest(
  addresses: Addresses,
  input: FetchArguments[0],
  init: Init = {},
): ClientRequest | undefined {
  if (typeof input !== "string" && !(input instanceof URL)) return undefined;
  for (const name in init)
    if (!UNDERSTOOD.has(name) && init[name as keyof Init] !== undefined) return undefined;
  const { method = "GET", headers, body, signal, redirect } = init;
  if (!METHODS.has(method) || redirect !== "manual") return undefined;
  if (typeof body !== "string" && !(body instanceof Uint8Array) && body !== undefined) return undefined;
  if (body !== undefined && method === "GET") return undefined;
  const proxy = typeof init.proxy === "string" ? URL.parse(init.proxy) : init.proxy;
  if (proxy !== undefined && !(proxy instanceof URL)) return undefined;
  const address = addresses.parse(String(input));
  const lines = headerLines(headers);
  if (!address || lines === undefined) return undefined;
  const length =
    body === undefined
      ? ""
      : `content-length: ${typeof body === "string" ? Buffer.byteLength(body) : body.length}\r\n`;
  const head = `${method} ${address.path} HTTP/1.1\r\nhost: ${address.host}\r\nconnection: keep-alive\r\n${lines}${length}\r\n`;
  const cancelling = cancelTokenOf(init) ?? (signal ? new Aborting(signal) : undefined);
  return { ...address, head, body, cancelling, takesPieces: PIECES in init, proxy };
}

/** A cancel token for a signal. */
class Aborting implements CancelToken {
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  get reason(): unknown {
    return this.signal.aborted ? this.signal.reason : undefined;
  }

  listen(listener: () => void): void {
    if (this.signal.aborted) listener();
    else this.signal.addEventListener("abort", listener, { once: true });
  }

  forget(listener: () => void): void {
    this.signal.removeEventListener("abort", listener);
  }
}

/** Where requests are put together, one at a time: a buffer of its own for each would cost more than filling it. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

/** A request's bytes, which are good until the next call. */
export function requestBytes({ head, body }: Pick<ClientRequest, "head" | "body">): Uint8Array {
  if (typeof body === "string" || body === undefined) return text(head + (body ?? ""));
  const length = head.length + body.length;
  if (length > SCRATCH_BYTES) return Buffer.concat([encoder.encode(head), body]);
  scratch.write(head, 0, "latin1");
  scratch.set(body, head.length);
  return scratch.subarray(0, length);
}

function text(whole: string): Uint8Array {
  // A unit of a string takes three bytes at most.
  if (whole.length * 3 > SCRATCH_BYTES) return encoder.encode(whole);
  return scratch.subarray(0, encoder.encodeInto(whole, scratch).written);
}

/** Returns undefined for headers that are left to `fetch`, which reports best what is wrong with them. */
function headerLines(headers: Init["headers"] = {}): string | undefined {
  if (Array.isArray(headers) || headers instanceof Headers) return undefined;
  let lines = "";
  let accepts = false;
  let encodes = false;
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string" || !TOKEN.test(name) || !VISIBLE.test(value)) return undefined;
    const small = name.toLowerCase();
    if (OWN.has(small)) return undefined;
    accepts ||= small === "accept";
    encodes ||= small === "accept-encoding";
    lines += `${small}: ${value.trim()}\r\n`;
  }
  if (!accepts) lines += "accept: */*\r\n";
  if (!encodes) lines += "accept-encoding: gzip, deflate, br, zstd\r\n";
  return lines;
}

/** The addresses that one client asks, each parsed once. */
export class Addresses {
  readonly #known = new Map<string, Address | undefined>();

  /** Returns undefined for an address that `fetch` must look at. */
  parse(text: string): Address | undefined {
    const known = this.#known.get(text);
    if (known || this.#known.has(text)) return known;
    const address = parseAddress(text);
    if (this.#known.size >= MAX_ADDRESSES) this.#known.clear();
    this.#known.set(text, address);
    return address;
  }
}

function parseAddress(text: string): Address | undefined {
  const url = URL.parse(text);
  const usual = url && USUAL_PORTS.get(url.protocol);
  if (!url || usual === undefined || url.username !== "" || url.password !== "") return undefined;
  const { host, port, pathname, search, origin: server, protocol } = url;
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const origin = { hostname, port: Number(port || usual), isSecure: protocol === "https:" };
  url.hash = "";
  return { origin, server, url: url.href, host, path: pathname + search };
}
