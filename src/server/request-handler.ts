import type { Dialect } from "../dialects/dialect.ts";
import { GatewayError, toGatewayError, wrongMethod } from "../errors/gateway-error.ts";
import type { Gateway } from "../gateway.ts";
import { stringifyJson } from "../json/json-text.ts";
import { logUnforeseen } from "../log.ts";
import { limited } from "../pipeline/admission/admit.ts";
import { authenticate } from "../pipeline/intake/authenticate.ts";
import { Exchange, requestId } from "../pipeline/intake/exchange.ts";
import { TickBatcher } from "../runtime/tick-batcher.ts";
import type { Cors } from "./cors.ts";
import type { ClientEndpoint, Endpoint, OpenEndpoint } from "./endpoint.ts";
import type { EndpointTable } from "./endpoints.ts";
import { isMarked } from "./endpoints.ts";
import { canonicalPath, pathOf } from "./paths.ts";

const ANY_METHOD = ["GET", "HEAD", "POST"];

/** Requests that start per turn of the event loop: two hundred cold ones at once delayed every stream by 116 to 245 ms. */
const ARRIVALS_PER_TURN = 32;

/** Answers requests: the one place where errors become responses and where every response gets its headers. */
export class RequestHandler {
  readonly #gateway: Gateway;
  readonly #endpoints: EndpointTable;
  readonly #cors: Cors;
  /** Requests that have arrived in this turn of the event loop. */
  readonly #arrivals = new TickBatcher((goOn: () => void) => goOn(), ARRIVALS_PER_TURN);

  constructor(gateway: Gateway, endpoints: EndpointTable, cors: Cors) {
    this.#gateway = gateway;
    this.#endpoints = endpoints;
    this.#cors = cors;
  }

  /** Answers a request by its method and path: an endpoint, a preflight, or an error. */
  answer(http: Request): Promise<Response> {
    const path = pathOf(http.url);
    const endpoints = this.#endpoints;
    const endpoint = endpoints.at(http.method, path);
    if (endpoint) return this.#endpoint(endpoint, http);
    return this.#fallback(
      http,
      canonicalPath(path, (meant) => endpoints.lacksVersion(meant)),
    );
  }

  #endpoint(endpoint: Endpoint, http: Request): Promise<Response> {
    if (endpoint.auth === "none") return this.#page(endpoint, http);
    const marked = endpoint.others?.find(({ dialect }) => isMarked(http.headers, dialect));
    return this.#exchange(marked ?? endpoint, http);
  }

  /** The answer at any other address: what the client meant, a preflight, or an error. */
  async #fallback(http: Request, path: string): Promise<Response> {
    const here = this.#endpoints.allAt(path);
    const methods = here.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    if (http.method === "OPTIONS") {
      return this.#addHeaders(http, this.#cors.preflight(http, methods.length > 0 ? methods : ANY_METHOD));
    }
    const method = http.method === "HEAD" ? "GET" : http.method;
    const endpoint = here.find((candidate) => candidate.method === method);
    if (endpoint) return this.#endpoint(endpoint, http);
    const error = here.length > 0 ? notHere(http, path, methods) : unknownUrl(http, path);
    return this.#refusal(http, path, error);
  }

  #refusal(http: Request, path: string, error: GatewayError): Response {
    const dialect = this.#endpoints.dialectAt(path, http.headers);
    return this.#addHeaders(http, refusal(error, dialect, { "x-request-id": requestId(http) }));
  }

  /** Adds what every answer carries that no exchange was opened for. */
  #addHeaders(http: Request, response: Response): Response {
    const { headers } = response;
    const added: Record<string, string> = {};
    this.#cors.addHeaders(http, added);
    for (const name in added) {
      // A preflight's answer varies with more than the origin.
      if (name === "vary") headers.append(name, added[name] ?? "");
      else headers.set(name, added[name] ?? "");
    }
    if (!headers.has("x-request-id")) headers.set("x-request-id", requestId(http));
    return response;
  }

  async #page({ page, path }: OpenEndpoint, http: Request): Promise<Response> {
    try {
      return this.#addHeaders(http, await page(http, this.#gateway));
    } catch (error) {
      return this.#refusal(http, path, this.#explain(error));
    }
  }

  /** Lets nobody to the endpoint who has no key. */
  async #exchange({ path, dialect, answer }: ClientEndpoint, http: Request): Promise<Response> {
    await new Promise<void>((goOn) => this.#arrivals.add(goOn));
    const gateway = this.#gateway;
    const exchange = new Exchange({ http, path, dialect, gateway, addHeaders: this.#addExchangeHeaders });
    try {
      if (gateway.inFlight.draining) throw new GatewayError("shutting_down", "this gateway is shutting down");
      return await answer(await authenticate(exchange)); // 401, 403
    } catch (error) {
      const failure = this.#explain(error);
      exchange.close(failure);
      const { attempts = 0, upstream } = exchange.progress?.admitted ?? {};
      const headers: Record<string, string> = {};
      if (attempts > 0) headers["x-modelyard-attempts"] = String(attempts);
      if (attempts > 0 && upstream !== undefined) headers["x-modelyard-upstream"] = upstream;
      return refusal(failure, dialect, exchange.addHeaders(headers));
    }
  }

  readonly #addExchangeHeaders = (headers: Record<string, string>, exchange: Exchange): void => {
    headers["x-request-id"] = exchange.id;
    const { requestIdHeader } = exchange.dialect;
    if (requestIdHeader !== undefined) headers[requestIdHeader] = exchange.id;
    const { caller, admitted } = exchange.progress ?? {};
    const queuedMs = admitted?.queuedMs ?? 0;
    if (queuedMs > 0) headers["x-modelyard-queue-ms"] = String(Math.round(queuedMs));
    // Every response to a key has its remaining limits.
    if (caller) exchange.dialect.addLimitHeaders(this.#gateway.limiter.standing(limited(caller)), headers);
    this.#cors.addHeaders(exchange.http, headers, exchange.dialect.exposedHeaders);
  };

  #explain(error: unknown): GatewayError {
    const failure = toGatewayError(error);
    if (failure.code === "internal_error") {
      logUnforeseen(this.#gateway.log, "a request failed by a fault of the gateway", error);
    }
    return failure;
  }
}

/** Returns the response for an error; `headers` are added to the error's own. */
function refusal(error: GatewayError, dialect: Dialect, headers: Record<string, string>): Response {
  const { status, body, headers: own } = dialect.error(error, headers["x-request-id"] ?? "");
  Object.assign(headers, error.headers, own);
  headers["content-type"] = "application/json";
  // Whole seconds, rounded up: Zed parses an integer, and early retries are refused again.
  if (error.retryAfterMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  }
  return new Response(stringifyJson(body), { status, headers });
}

function unknownUrl(http: Request, path: string): GatewayError {
  if (path === "/v1") {
    return new GatewayError(
      "unknown_url",
      "this is the base URL, to which a client adds /chat/completions, for example",
    );
  }
  const message = `there is nothing at ${http.method} ${path}; GET /docs lists what this gateway serves`;
  return new GatewayError("unknown_url", message);
}

function notHere(http: Request, path: string, methods: readonly string[]): GatewayError {
  // Codex goes on by HTTP within the same turn if it is told so with this status.
  if (http.headers.get("upgrade")?.toLowerCase() !== "websocket")
    return wrongMethod(http.method, path, methods);
  const message = `${path} is not served by WebSocket; send an ordinary ${methods.join(" or ")} request`;
  return new GatewayError("upgrade_required", message, { headers: { upgrade: "HTTP/1.1" } });
}
