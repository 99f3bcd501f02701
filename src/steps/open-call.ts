import type { JsonObject } from "../contract/index.ts";
import { RequestError } from "../dialects/request-error.ts";
import type { GatewayLogger } from "../log.ts";
import type { Gateway } from "../state/gateway.ts";

// What may stand in a log line and in a header without further thought.
const SANE_ID = /^[\w.:-]{1,128}$/;

/** Step 1: gives the request its id, the signal that ends all work for it, and its one log line. */
export function openCall(http: Request, gateway: Gateway): RequestCall {
  return new RequestCall(requestId(http), http.signal, gateway);
}

/** The client's own id for the request if it is sane, else a new one. */
export function requestId(http: Request): string {
  const asked = http.headers.get("x-request-id") ?? "";
  return SANE_ID.test(asked) ? asked : `req_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** One request from a client, from its first byte to the end of its answer. */
export class RequestCall {
  readonly id: string;
  readonly log: GatewayLogger;
  readonly #gateway: Gateway;
  readonly #controller = new AbortController();
  readonly #http: AbortSignal;
  readonly #started = performance.now();
  readonly #facts: Record<string, JsonObject[string]> = {};
  /** Why a request ends whose client has left. */
  readonly gone: RequestError = new RequestError("client_closed_request", "the client left");
  #closed = false;

  constructor(id: string, http: AbortSignal, gateway: Gateway) {
    this.id = id;
    this.#http = http;
    this.#gateway = gateway;
    this.log = gateway.log.child({ request: id });
    gateway.calls.add(this);
    http.addEventListener("abort", this.left, { once: true });
    if (http.aborted) this.left();
  }

  /** Aborted when nobody waits for the answer any more; the reason is a RequestError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds since the request came. */
  get age(): number {
    return performance.now() - this.#started;
  }

  abort(reason: RequestError): void {
    this.#controller.abort(reason);
  }

  /** The client is gone: all work for it ends. */
  readonly left = (): void => {
    if (this.#closed) return;
    this.abort(this.gone);
    this.close(this.gone);
  };

  /** Calls to upstreams that this request has made. */
  get attempts(): number {
    return Number(this.#facts["attempts"] ?? 0);
  }

  /** Adds to what the log line will say. */
  note(facts: JsonObject): void {
    Object.assign(this.#facts, facts);
  }

  /** The answer has ended, well or with an error: writes the log line. Only the first call counts. */
  close(error?: RequestError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#http.removeEventListener("abort", this.left);
    this.#gateway.calls.delete(this);
    const status = error?.status ?? 200;
    const level = status === 500 ? "error" : status > 500 ? "warn" : "info";
    this.log[level](error ? `request failed: ${error.message}` : "request answered", {
      ...this.#facts,
      status,
      ...(error && { code: error.code }),
      ms: Math.round(this.age),
    });
  }
}
