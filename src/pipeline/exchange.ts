import { UpstreamError } from "../contract/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import type { GatewayLogger } from "../log.ts";
import type { CountedUsage } from "../answer/answer-event.ts";
import { CancelSource } from "../runtime/cancel-source.ts";
import type { AttemptUsage, SharedBill } from "../attempts/dispatch-context.ts";
import type { Gateway } from "../gateway.ts";
import type { Caller } from "../keys/keyring.ts";
import type { CacheState } from "../ledger/ledger.ts";
import type { Ticket, ServedBy, Usable } from "./reservation.ts";
import { NOTHING } from "./reservation.ts";

// What may stand in a log line and in a header without further thought.
const SANE_ID = /^[\w.:-]{1,128}$/;

/** Step 1: gives the request its id, the signal that ends all work for it, and its one log line. */
export function openCall(http: Request, { path, mark }: Opening, gateway: Gateway): RequestCall {
  return new RequestCall({ id: requestId(http), path, mark, http }, gateway);
}

/** What the endpoint knows of a request. */
export interface Opening {
  /** The endpoint, as `/v1/chat/completions`. */
  readonly path: string;
  /** Adds to an answer's headers what every answer to this request carries. */
  readonly mark: (headers: Record<string, string>, call: RequestCall) => void;
}

/** The client's own id for the request if it is sane, else a new one. */
export function requestId(http: Request): string {
  const asked = http.headers.get("x-request-id") ?? "";
  return SANE_ID.test(asked) ? asked : `req_${crypto.randomUUID().replaceAll("-", "")}`;
}

/** What becomes known of a request on its way. */
export interface CallFacts {
  /** The model as the client named it. */
  readonly model?: string | undefined;
  /** Who was asked last. */
  readonly upstream?: string | undefined;
  /** That upstream's own name for the model. */
  readonly upstreamModel?: string | undefined;
  /** Calls to upstreams so far. */
  readonly attempts?: number | undefined;
  /** For how many ms an attempt waited for a turn at its upstream; added to those before. */
  readonly queuedMs?: number | undefined;
  readonly cache?: CacheState | undefined;
}

interface Arrival extends Opening {
  readonly id: string;
  readonly http: Request;
}

/** One request from a client, from its first byte to the end of its answer. */
export class RequestCall {
  readonly id: string;
  readonly http: Request;
  /** The endpoint, as `/v1/chat/completions`. */
  readonly path: string;
  #log: GatewayLogger | undefined;
  readonly #mark: Opening["mark"];
  readonly #gateway: Gateway;
  /** Cancelled when nobody waits for the answer any more. */
  readonly cancellation: CancelSource<GatewayError> = new CancelSource();
  readonly #started = performance.now();
  readonly #facts: { -readonly [Fact in keyof CallFacts]: CallFacts[Fact] } = {
    model: undefined,
    upstream: undefined,
    upstreamModel: undefined,
    attempts: undefined,
    queuedMs: undefined,
    cache: undefined,
  };
  #gone: GatewayError | undefined;
  /** Who asks, once that is known. */
  caller: Caller | undefined;
  #admission: Ticket | undefined;
  #firstEventMs: number | undefined;
  #overheadMs: number | undefined;
  #isWatched = false;
  #closed = false;

  constructor({ id, path, mark, http }: Arrival, gateway: Gateway) {
    this.id = id;
    this.path = path;
    this.#mark = mark;
    this.http = http;
    this.#gateway = gateway;
    gateway.calls.add(this);
  }

  get log(): GatewayLogger {
    return (this.#log ??= this.#gateway.log.child({ request: this.id }));
  }

  /** Why a request ends whose client has left. */
  get gone(): GatewayError {
    return (this.#gone ??= new GatewayError("client_closed_request", "the client left"));
  }

  /** Milliseconds since the request came. */
  get age(): number {
    return performance.now() - this.#started;
  }

  abort(reason: GatewayError): void {
    this.cancellation.cancel(reason);
  }

  /** It is admitted, and this is what it holds. */
  admit(admission: Ticket): void {
    this.#admission = admission;
    if (this.#isWatched) admission.guard();
  }

  /** It takes longer than most: from now on it ends when its client leaves, or at once if that has happened. */
  watch(): void {
    this.#isWatched = true;
    this.#admission?.guard();
    const { signal } = this.http;
    signal.addEventListener("abort", this.left, { once: true });
    if (signal.aborted) this.left();
  }

  /** The client is gone: all work for it ends. */
  readonly left = (): void => {
    if (this.#closed) return;
    this.abort(this.gone);
    this.close(this.gone);
  };

  /** Whether nobody listens any more: what ends then has not come to its end. */
  get hasLeft(): boolean {
    return this.#gone !== undefined && this.cancellation.reason === this.#gone;
  }

  /** Calls to upstreams that this request has made. */
  get attempts(): number {
    return this.#facts.attempts ?? 0;
  }

  /** The upstream that was called last, if any was. */
  get askedLast(): string | undefined {
    return this.attempts > 0 ? this.#facts.upstream : undefined;
  }

  /** For how many ms it has waited for a turn at its upstreams, so far as these waits are over. */
  get queuedMs(): number {
    return this.#facts.queuedMs ?? 0;
  }

  /** Adds to what the log line and the ledger will say. */
  note({ model, upstream, upstreamModel, attempts, queuedMs, cache }: CallFacts): void {
    const facts = this.#facts;
    if (attempts !== undefined) this.#overheadMs ??= this.age;
    // Member by member: each request comes this way several times.
    facts.model = model ?? facts.model;
    facts.upstream = upstream ?? facts.upstream;
    facts.upstreamModel = upstreamModel ?? facts.upstreamModel;
    facts.attempts = attempts ?? facts.attempts;
    if (queuedMs !== undefined) facts.queuedMs = (facts.queuedMs ?? 0) + queuedMs;
    facts.cache = cache ?? facts.cache;
  }

  /** An upstream, or the cache, has begun to answer; `account` follows what that uses. */
  answeredBy(served: ServedBy, account: Usable): void {
    if (!this.#admission) return;
    this.#admission.served = served;
    this.#admission.account = account;
  }

  /** An attempt has ended whose answer went to nobody. */
  used(usage: AttemptUsage): void {
    this.#admission?.used.push(usage);
  }

  /** Its attempts are made on behalf of several requests, of which one pays. */
  share(bill: SharedBill): void {
    if (this.#admission) this.#admission.bill = bill;
  }

  /** The whole answer is about to be sent as it was sent before. */
  deliveredAs(served: ServedBy, usage: CountedUsage | undefined): void {
    const known = usage ?? NOTHING;
    this.answeredBy(served, { known, estimate: () => known, count: async () => known });
    this.delivering();
  }

  /** An answer's headers, with what every answer to this request carries. */
  marked(headers: Record<string, string>): Record<string, string> {
    this.#mark(headers, this);
    return headers;
  }

  /** A part of the answer is about to be sent. */
  delivering(): void {
    this.#firstEventMs ??= this.age;
  }

  /**
   * The answer has ended, well or with an error: books it and writes the log line. Only the first call counts. The last
   * byte must not go out before: then the end is where a killed process doesn't lose it.
   */
  close(error?: GatewayError): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#isWatched) this.http.signal.removeEventListener("abort", this.left);
    this.#gateway.calls.delete(this);
    const { upstream, upstreamModel } = this.#facts;
    this.#admission?.end({
      error,
      upstream,
      upstreamModel,
      attempts: this.attempts,
      totalMs: this.age,
      firstEventMs: this.#firstEventMs,
      overheadMs: this.#overheadMs,
      queuedMs: this.#facts.queuedMs,
    });
    if (error && !this.#admission) this.#gateway.metrics.refused(error.code, this.caller?.name);
    this.#writeLine(error);
  }

  #writeLine(error: GatewayError | undefined): void {
    const status = error?.status ?? 200;
    const level = status === 500 ? "error" : status > 500 ? "warn" : "info";
    const known = this.#admission?.account?.known;
    // An upstream's own words may repeat the client's.
    const isUpstreams = UpstreamError.is(error?.cause);
    if (error && isUpstreams) this.log.debug("what the client is told", { error: error.message });
    const failed = error && !isUpstreams ? `request failed: ${error.message}` : "request failed";
    const { model, upstream, upstreamModel, attempts, cache } = this.#facts;
    // One form for all requests, and no logger of its own for a line that each of them writes.
    this.#gateway.log[level](error ? failed : "request answered", {
      request: this.id,
      path: this.path,
      key: this.caller?.name,
      model,
      upstream,
      upstreamModel,
      attempts,
      cache,
      input: known?.usage.input,
      output: known?.usage.output,
      usage: known?.source,
      status,
      code: error?.code,
      ms: Math.round(this.age),
    });
  }
}
