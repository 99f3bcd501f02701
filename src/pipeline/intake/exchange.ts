import { UpstreamError } from "../../contract/index.ts";
import type { Dialect } from "../../dialects/dialect.ts";
import { GatewayError } from "../../errors/gateway-error.ts";
import type { GatewayLogger } from "../../log.ts";
import type { CountedUsage } from "../../answer/answer-event.ts";
import { CancelSource } from "../../runtime/cancel-source.ts";
import type { Gateway } from "../../gateway.ts";
import type { Caller } from "../../keys/keyring.ts";
import type { CacheState } from "../../ledger/ledger.ts";

// Safe in log lines and headers.
const SANE_ID = /^[\w.:-]{1,128}$/;

/** Returns the client's id for a request if it is valid, else a new one. */
export function requestId(http: Request): string {
  const asked = http.headers.get("x-request-id") ?? "";
  return SANE_ID.test(asked) ? asked : `req_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** A new request, as the server passes it on. */
export interface Arrival {
  readonly http: Request;
  /** The endpoint, as `/v1/chat/completions`. */
  readonly path: string;
  readonly dialect: Dialect;
  readonly gateway: Gateway;
  /** Adds the headers of every response to this request. */
  readonly addHeaders: (headers: Record<string, string>, exchange: Exchange) => void;
}

/** The state of a request after one of the steps. */
export interface RequestProgress {
  readonly caller: Caller;
  /** The model as the client named it, truncated. */
  readonly shownModel?: string | undefined;
  /** Absent until the request is admitted. */
  readonly admitted?: AdmittedRequest;
}

/** An admitted request, as `close` needs it. */
export interface AdmittedRequest extends RequestFacts {
  /** The answer's usage; undefined without an answer, or if tokens must be counted first. */
  readonly knownUsage: CountedUsage | undefined;
  /** Registers its permit for leak detection. */
  trackLeak(): void;
  /** Settles its holds and books its usage. */
  end(error: GatewayError | undefined, totalMs: number): void;
}

/** Facts about a request's upstream calls. */
export interface RequestFacts {
  /** The upstream that was called last, by its name in gateway.yaml. */
  readonly upstream: string | undefined;
  /** That upstream's own name for the model. */
  readonly upstreamModel: string | undefined;
  /** Number of upstream calls so far. */
  readonly attempts: number | undefined;
  /** Time queued at upstreams, in ms. */
  readonly queuedMs: number | undefined;
  readonly cache: CacheState | undefined;
  /** The ignored parameters, if any. */
  readonly ignored: string | undefined;
}

const NO_FACTS: Partial<RequestFacts> = {};

const NO_HEADERS: Readonly<Record<string, string>> = {};

function pickHeaders(headers: Headers, names: readonly string[]): Readonly<Record<string, string>> {
  if (names.length === 0) return NO_HEADERS;
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) found[name] = value;
  }
  return found;
}

/** One request and its answer: its id, its log, and the signal that ends all work for it. */
export class Exchange {
  readonly id: string;
  readonly http: Request;
  /** The endpoint, as `/v1/chat/completions`. */
  readonly path: string;
  readonly dialect: Dialect;
  readonly gateway: Gateway;
  /** Cancelled when the client has left or the request is aborted. */
  readonly cancellation: CancelSource<GatewayError> = new CancelSource();
  readonly #addHeaders: Arrival["addHeaders"];
  readonly #started = performance.now();
  #progress: RequestProgress | undefined;
  #log: GatewayLogger | undefined;
  #gone: GatewayError | undefined;
  #forwarded: Readonly<Record<string, string>> | undefined;
  #isTracked = false;
  #isClosed = false;

  constructor({ http, path, dialect, gateway, addHeaders }: Arrival) {
    this.id = requestId(http);
    this.http = http;
    this.path = path;
    this.dialect = dialect;
    this.gateway = gateway;
    this.#addHeaders = addHeaders;
    gateway.inFlight.add(this);
  }

  get log(): GatewayLogger {
    return (this.#log ??= this.gateway.log.child({ request: this.id }));
  }

  /** The client's headers that the dialect forwards to upstreams, by lower-case name. */
  get forwardedHeaders(): Readonly<Record<string, string>> {
    return (this.#forwarded ??= pickHeaders(this.http.headers, this.dialect.forwardedHeaders));
  }

  /** The error for a disconnected client. */
  get gone(): GatewayError {
    return (this.#gone ??= new GatewayError("client_closed_request", "the client left"));
  }

  /** Milliseconds since the request arrived. */
  get age(): number {
    return performance.now() - this.#started;
  }

  /** True if the client has disconnected. */
  get hasLeft(): boolean {
    return this.#gone !== undefined && this.cancellation.reason === this.#gone;
  }

  /** The result of the last step. */
  get progress(): RequestProgress | undefined {
    return this.#progress;
  }

  /** Records a step's result for the end of the request. */
  reached(progress: RequestProgress): void {
    this.#progress = progress;
    if (this.#isTracked) progress.admitted?.trackLeak();
  }

  abort(reason: GatewayError): void {
    this.cancellation.cancel(reason);
  }

  /** Starts watching for the client's disconnect; ends at once if that has happened. */
  watch(): void {
    this.#isTracked = true;
    this.#progress?.admitted?.trackLeak();
    const { signal } = this.http;
    signal.addEventListener("abort", this.onClientLeft, { once: true });
    if (signal.aborted) this.onClientLeft();
  }

  /** Ends all work for a disconnected client. */
  readonly onClientLeft = (): void => {
    if (this.#isClosed) return;
    this.abort(this.gone);
    this.close(this.gone);
  };

  /** Adds to an answer's headers what every answer to this request carries, and returns them. */
  addHeaders(headers: Record<string, string>): Record<string, string> {
    this.#addHeaders(headers, this);
    return headers;
  }

  /**
   * Ends the request: books it and logs it. Only the first call counts. Must be called before the last byte is sent, so that
   * the end survives a kill.
   */
  close(error?: GatewayError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isTracked) this.http.signal.removeEventListener("abort", this.onClientLeft);
    this.gateway.inFlight.delete(this);
    const { caller, admitted } = this.#progress ?? {};
    admitted?.end(error, this.age);
    if (error && !admitted) this.gateway.metrics.recordRefused(error.code, caller?.name);
    this.#logAccess(error);
  }

  #logAccess(error: GatewayError | undefined): void {
    const status = error?.status ?? 200;
    const level = status === 500 ? "error" : status > 500 ? "warn" : "info";
    // An upstream's message may repeat the client's text.
    const isUpstreams = UpstreamError.is(error?.cause);
    if (error && isUpstreams) this.log.debug("error message sent to the client", { error: error.message });
    const failed = error && !isUpstreams ? `request failed: ${error.message}` : "request failed";
    const { caller, shownModel: model, admitted } = this.#progress ?? {};
    const facts: Partial<RequestFacts> = admitted ?? NO_FACTS;
    const { upstream, upstreamModel, attempts, cache, ignored } = facts;
    const known = admitted?.knownUsage;
    // One set of fields for all requests, and no child logger.
    this.gateway.log[level](error ? failed : "request answered", {
      request: this.id,
      path: this.path,
      key: caller?.name,
      model,
      upstream,
      upstreamModel,
      attempts,
      cache,
      ignored,
      input: known?.usage.input,
      output: known?.usage.output,
      usage: known?.source,
      status,
      code: error?.code,
      ms: Math.round(this.age),
    });
  }
}
