import { errorBody } from "../dialects/openai-chat/error.ts";
import { RequestError, toRequestError } from "../dialects/request-error.ts";
import { logUnforeseen } from "../log.ts";
import type { Gateway } from "../state/gateway.ts";
import type { Caller } from "../state/keyring.ts";
import { setLimitHeaders } from "../state/limit-headers.ts";
import { limited } from "../steps/admit.ts";
import { openCall, requestId } from "../steps/open-call.ts";
import type { Cors } from "./cors.ts";
import type { CallHandler, Endpoint } from "./endpoints.ts";
import { endpointsAt } from "./endpoints.ts";
import { canonicalPath } from "./paths.ts";

const ANY_METHOD = ["GET", "HEAD", "POST"];

/** Answers requests: the one place where errors become responses and where every response gets its headers. */
export class Answerer {
  readonly #gateway: Gateway;
  readonly #cors: Cors;

  constructor(gateway: Gateway, cors: Cors) {
    this.#gateway = gateway;
    this.#cors = cors;
  }

  /** The answer of a known endpoint. */
  endpoint(endpoint: Endpoint, http: Request): Promise<Response> {
    return "call" in endpoint ? this.#call(endpoint, http) : this.#page(endpoint, http);
  }

  /** The answer at any other address: what the client meant, a preflight, or an error. */
  async elsewhere(http: Request): Promise<Response> {
    const path = canonicalPath(http.url);
    const here = endpointsAt(path);
    const methods = here.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    if (http.method === "OPTIONS") {
      return this.#mark(http, this.#cors.preflight(http, methods.length > 0 ? methods : ANY_METHOD));
    }
    const method = http.method === "HEAD" ? "GET" : http.method;
    const endpoint = here.find((candidate) => candidate.method === method);
    if (endpoint) return this.endpoint(endpoint, http);
    return this.#mark(
      http,
      this.#refusal(here.length > 0 ? wrongMethod(http, path, methods) : unknownUrl(http, path)),
    );
  }

  /** What every answer carries. */
  #mark(http: Request, response: Response): Response {
    this.#cors.mark(http, response.headers);
    if (!response.headers.has("x-request-id")) response.headers.set("x-request-id", requestId(http));
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
    const call = openCall(http, path, this.#gateway);
    let response: Response;
    try {
      if (this.#gateway.calls.draining)
        throw new RequestError("shutting_down", "this gateway is shutting down");
      response = await handler(http, call, this.#gateway);
    } catch (error) {
      const refusal = this.#explain(error);
      call.close(refusal);
      response = this.#refusal(refusal);
      if (call.attempts > 0) response.headers.set("x-modelyard-attempts", String(call.attempts));
    }
    response.headers.set("x-request-id", call.id);
    if (call.caller) this.#tellLimits(call.caller, response.headers);
    this.#cors.mark(http, response.headers);
    return response;
  }

  /** What is left to the key, on every answer to it. */
  #tellLimits(caller: Caller, headers: Headers): void {
    setLimitHeaders(this.#gateway.limiter.standing(limited(caller)), headers);
  }

  #explain(error: unknown): RequestError {
    const refusal = toRequestError(error);
    if (refusal.code === "internal_error") {
      logUnforeseen(this.#gateway.log, "a request failed in the gateway itself", error);
    }
    return refusal;
  }

  #refusal(error: RequestError): Response {
    const headers = new Headers({ ...error.headers, "content-type": "application/json" });
    // Whole seconds, rounded up: Zed parses an integer, and who comes early is refused again.
    if (error.retryAfterMs !== undefined) {
      headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
    }
    return new Response(errorBody(error), { status: error.status, headers });
  }
}

type CallEndpoint = Extract<Endpoint, { readonly call: CallHandler }>;

function unknownUrl(http: Request, path: string): RequestError {
  if (path === "/v1") {
    return new RequestError(
      "unknown_url",
      "this is the base URL, to which a client adds /chat/completions, for example",
    );
  }
  const message = `there is nothing at ${http.method} ${path}; GET /docs lists what this gateway serves`;
  return new RequestError("unknown_url", message);
}

function wrongMethod(http: Request, path: string, methods: readonly string[]): RequestError {
  const allow = methods.join(", ");
  return new RequestError("method_not_allowed", `${path} does not take ${http.method}, but ${allow}`, {
    headers: { allow },
  });
}
