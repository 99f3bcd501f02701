import { errorBody } from "../dialects/openai/error.ts";
import { GatewayError, toGatewayError } from "../errors/gateway-error.ts";
import { TickBatcher } from "../runtime/tick-batcher.ts";
import { logUnforeseen } from "../log.ts";
import type { Gateway } from "../gateway.ts";
import { addLimitHeaders } from "../dialects/openai/limit-headers.ts";
import { limited } from "../pipeline/admit.ts";
import type { RequestCall } from "../pipeline/exchange.ts";
import { openCall, requestId } from "../pipeline/exchange.ts";
import type { Cors } from "./cors.ts";
import type { CallHandler, Endpoint } from "./endpoints.ts";
import { endpointAt, endpointsAt } from "./endpoints.ts";
import { canonicalPath, pathOf } from "./paths.ts";

/** Requests that have arrived. */
const ARRIVALS = new TickBatcher((goOn: () => void) => goOn());

const ANY_METHOD = ["GET", "HEAD", "POST"];

/** Answers requests: the one place where errors become responses and where every response gets its headers. */
export class RequestHandler {
  readonly #gateway: Gateway;
  readonly #cors: Cors;

  constructor(gateway: Gateway, cors: Cors) {
    this.#gateway = gateway;
    this.#cors = cors;
  }

  /** Answers a request by its method and path: an endpoint, a preflight, or an error. */
  answer(http: Request): Promise<Response> {
    const path = pathOf(http.url);
    const endpoint = endpointAt(http.method, path);
    return endpoint ? this.#endpoint(endpoint, http) : this.#elsewhere(http, canonicalPath(path));
  }

  #endpoint(endpoint: Endpoint, http: Request): Promise<Response> {
    return "call" in endpoint ? this.#call(endpoint, http) : this.#page(endpoint, http);
  }

  /** The answer at any other address: what the client meant, a preflight, or an error. */
  async #elsewhere(http: Request, path: string): Promise<Response> {
    const here = endpointsAt(path);
    const methods = here.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    if (http.method === "OPTIONS") {
      return this.#mark(http, this.#cors.preflight(http, methods.length > 0 ? methods : ANY_METHOD));
    }
    const method = http.method === "HEAD" ? "GET" : http.method;
    const endpoint = here.find((candidate) => candidate.method === method);
    if (endpoint) return this.#endpoint(endpoint, http);
    return this.#mark(
      http,
      this.#refusal(here.length > 0 ? wrongMethod(http, path, methods) : unknownUrl(http, path)),
    );
  }

  /** What every answer carries. */
  #mark(http: Request, response: Response): Response {
    const { headers } = response;
    const marks: Record<string, string> = {};
    this.#cors.mark(http, marks);
    for (const name in marks) {
      // A preflight's answer varies with more than the origin.
      if (name === "vary") headers.append(name, marks[name] ?? "");
      else headers.set(name, marks[name] ?? "");
    }
    headers.set("x-request-id", requestId(http));
    return response;
  }

  async #page(endpoint: Exclude<Endpoint, { call: CallHandler }>, http: Request): Promise<Response> {
    try {
      return this.#mark(http, await endpoint.page(http, this.#gateway));
    } catch (error) {
      return this.#mark(http, this.#refusal(this.#explain(error)));
    }
  }

  async #call({ path, call: handler }: CallEndpoint, http: Request): Promise<Response> {
    await new Promise<void>((goOn) => ARRIVALS.add(goOn));
    const call = openCall(http, { path, mark: this.#markCall }, this.#gateway);
    try {
      if (this.#gateway.calls.draining)
        throw new GatewayError("shutting_down", "this gateway is shutting down");
      return await handler(http, call, this.#gateway);
    } catch (error) {
      const refusal = this.#explain(error);
      call.close(refusal);
      const headers: Record<string, string> = {};
      if (call.attempts > 0) headers["x-modelyard-attempts"] = String(call.attempts);
      if (call.askedLast !== undefined) headers["x-modelyard-upstream"] = call.askedLast;
      return this.#refusal(refusal, call.marked(headers));
    }
  }

  readonly #markCall = (
    headers: Record<string, string>,
    { http, id, caller, queuedMs }: RequestCall,
  ): void => {
    headers["x-request-id"] = id;
    if (queuedMs > 0) headers["x-modelyard-queue-ms"] = String(Math.round(queuedMs));
    // What is left to the key, on every answer to it.
    if (caller) addLimitHeaders(this.#gateway.limiter.standing(limited(caller)), headers);
    this.#cors.mark(http, headers);
  };

  #explain(error: unknown): GatewayError {
    const refusal = toGatewayError(error);
    if (refusal.code === "internal_error") {
      logUnforeseen(this.#gateway.log, "a request failed in the gateway itself", error);
    }
    return refusal;
  }

  #refusal(error: GatewayError, headers: Record<string, string> = {}): Response {
    Object.assign(headers, error.headers);
    headers["content-type"] = "application/json";
    // Whole seconds, rounded up: Zed parses an integer, and who comes early is refused again.
    if (error.retryAfterMs !== undefined) {
      headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
    }
    return new Response(errorBody(error), { status: error.status, headers });
  }
}

type CallEndpoint = Extract<Endpoint, { readonly call: CallHandler }>;

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

function wrongMethod(http: Request, path: string, methods: readonly string[]): GatewayError {
  const allow = methods.join(", ");
  return new GatewayError("method_not_allowed", `${path} does not take ${http.method}, but ${allow}`, {
    headers: { allow },
  });
}
