/** A browser may remember a preflight's answer for a day; browsers cap it lower themselves. */
const PREFLIGHT_AGE_S = 86_400;
const EXPOSED = [
  "x-request-id",
  "retry-after",
  "age",
  ...["limit", "remaining", "reset"].flatMap((what) => [
    `x-ratelimit-${what}-requests`,
    `x-ratelimit-${what}-tokens`,
  ]),
  "x-modelyard-upstream",
  "x-modelyard-attempts",
  "x-modelyard-queue-ms",
  "x-modelyard-cache",
  "x-modelyard-usage",
  "x-modelyard-ignored",
].join(", ");

/**
 * Cross-origin access for browser apps. Keys travel in headers and cookies are never used, so any origin may
 * be let in; credentials mode never is. https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export class Cors {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#any = origins.includes("*");
    this.#origins = new Set(origins.map((origin) => origin.toLowerCase()));
  }

  /** Adds the CORS headers of a response; `exposed` names more readable headers. */
  addHeaders(request: Request, headers: Record<string, string>, exposed = ""): void {
    const allowed = this.#allowed(request);
    if (!this.#any) headers["vary"] = "Origin";
    if (allowed === undefined) return;
    headers["access-control-allow-origin"] = allowed;
    headers["access-control-expose-headers"] = exposed === "" ? EXPOSED : `${EXPOSED}, ${exposed}`;
  }

  /** Returns the response to an OPTIONS request, which needs no key. */
  preflight(request: Request, methods: readonly string[]): Response {
    const allow = methods.join(", ");
    const headers = new Headers({ allow });
    if (this.#allowed(request) !== undefined) {
      headers.set("access-control-allow-methods", allow);
      // Reflected, not listed: SDKs send headers of their own (x-stainless-*), and `*` does not cover authorization.
      const asked = request.headers.get("access-control-request-headers");
      if (asked) headers.set("access-control-allow-headers", asked);
      headers.set("access-control-max-age", String(PREFLIGHT_AGE_S));
      headers.append("vary", "Access-Control-Request-Headers");
    }
    return new Response(null, { status: 204, headers });
  }

  #allowed(request: Request): string | undefined {
    if (this.#any) return "*";
    const origin = request.headers.get("origin");
    return origin !== null && this.#origins.has(origin.toLowerCase()) ? origin : undefined;
  }
}
