import type { GatewayError } from "../errors/gateway-error.ts";

/** A request in flight, as the registry sees it. */
export interface RunningCall {
  abort(reason: GatewayError): void;
  /** Starts watching for the client's disconnect; called for requests that take longer than most. */
  watch(): void;
}

/** Age at which requests are watched, in ms: watching costs a quick request a twentieth of its time. */
const WATCH_AFTER_MS = 20;

/** Tracks the requests in flight, for client disconnects and graceful shutdown. */
export class InFlightRequests {
  readonly #new = new Set<RunningCall>();
  readonly #watched = new Set<RunningCall>();
  #isWatchScheduled = false;
  #idle: PromiseWithResolvers<void> | undefined;
  #draining = false;

  /** True once new requests are refused. */
  get draining(): boolean {
    return this.#draining;
  }

  get running(): number {
    return this.#new.size + this.#watched.size;
  }

  add(call: RunningCall): void {
    this.#new.add(call);
    if (this.#isWatchScheduled) return;
    this.#isWatchScheduled = true;
    setTimeout(this.#watchNew, WATCH_AFTER_MS);
  }

  delete(call: RunningCall): void {
    if (!this.#new.delete(call)) this.#watched.delete(call);
    if (this.running === 0) this.#idle?.resolve();
  }

  /** Starts refusing new requests; resolves when those in flight have ended. */
  drain(): Promise<void> {
    this.#draining = true;
    this.#idle ??= Promise.withResolvers();
    if (this.running === 0) this.#idle.resolve();
    return this.#idle.promise;
  }

  /** Aborts all requests in flight. */
  abort(reason: GatewayError): void {
    for (const call of [...this.#new, ...this.#watched]) call.abort(reason);
  }

  readonly #watchNew = (): void => {
    this.#isWatchScheduled = false;
    const calls = [...this.#new];
    this.#new.clear();
    for (const call of calls) {
      this.#watched.add(call);
      // May end the request.
      call.watch();
    }
  };
}
