import type { Call, ChatEvent, ChatRequest, ChatStream } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { RequestError } from "../dialects/request-error.ts";
import type { Peeked } from "../flow/peek.ts";
import { peek, resume } from "../flow/peek.ts";
import { watch } from "../flow/watch.ts";
import { whole } from "../flow/whole.ts";
import type { GatewayLogger } from "../log.ts";
import type { TimeoutSettings } from "../../config/schema.ts";
import type { Target } from "../state/route-table.ts";
import { Deadlines } from "./deadlines.ts";
import type { RequestCall } from "./open-call.ts";

// More chunk-level extras than this before the first word is not an answer.
const MAX_BEFORE_COMMIT = 1_000;

const STREAM_DEADLINES: readonly (keyof TimeoutSettings)[] = ["first_event", "idle", "total"];
const PLAIN_DEADLINES: readonly (keyof TimeoutSettings)[] = ["total"];

export interface AttemptOptions {
  readonly target: Target;
  /** 1 for the first of this request. */
  readonly number: number;
  readonly request: ChatRequest;
  readonly call: RequestCall;
  /** Where the names of parameters go that the upstream can't honour. */
  readonly ignored: Set<string>;
  readonly redact: (text: string) => string;
}

/**
 * One try of one target, until its first event commits it. What comes back is the whole answer, which ends
 * honestly: it returns when the upstream finished it, and throws when it did not. Before that it throws an
 * UpstreamError, or the RequestError with which the request was aborted.
 */
export async function attempt(options: AttemptOptions): Promise<AsyncIterable<ChatEvent>> {
  const lent = new LentCall(options);
  try {
    return lent.answer(await lent.committed());
  } catch (error) {
    lent[Symbol.dispose]();
    throw lent.explain(error);
  }
}

/** Every event except usage and an extra about the whole answer is part of an answer that can't be taken back. */
function commits(event: ChatEvent): boolean {
  return event.type !== "usage" && !(event.type === "extra" && event.at === "chunk");
}

/** What an upstream is lent for one attempt; disposing it ends all that the upstream does for it. */
class LentCall implements Call, Disposable {
  readonly id: string;
  readonly attempt: number;
  readonly log: GatewayLogger;
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();
  readonly #deadlines: Deadlines;

  constructor(options: AttemptOptions) {
    const { target, request, call, number } = options;
    this.#options = options;
    this.id = call.id;
    this.attempt = number;
    this.log = call.log.child({ upstream: target.upstream.id });
    const kinds = request.stream ? STREAM_DEADLINES : PLAIN_DEADLINES;
    this.#deadlines = new Deadlines({
      upstream: target.upstream.id,
      timeouts: target.upstream.timeouts,
      kinds: target.upstream.upstream.reportsConnection ? ["connect", ...kinds] : kinds,
      passed: (error) => this.#controller.abort(error),
    });
    call.signal.addEventListener("abort", this.#requestEnded, { once: true });
    if (call.signal.aborted) this.#requestEnded();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  connected(): void {
    this.#deadlines.connected();
  }

  ignored(parameter: string, why: string): void {
    this.#options.ignored.add(parameter);
    this.log.debug("a parameter is not honoured", { parameter, why });
  }

  /** Waits for the event that commits. */
  async committed(): Promise<Peeked<ChatEvent>> {
    const stream = await this.#opened();
    const events = watch(stream[Symbol.asyncIterator](), this.signal);
    const tooMany = () => new UpstreamError("bad-response", "the upstream's answer doesn't begin");
    const peeked = await peek(events, commits, { limit: MAX_BEFORE_COMMIT, tooMany });
    if (!peeked) throw new UpstreamError("truncated", "the upstream ended without an answer");
    this.#deadlines.committed(() => events.waiting);
    return peeked;
  }

  /** The plugin's promise, or the abort, whichever comes first; a stream that comes too late is left at once. */
  async #opened(): Promise<ChatStream> {
    const { target, request } = this.#options;
    this.signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(this.signal.reason);
    this.signal.addEventListener("abort", abort, { once: true });
    const opening = Promise.resolve(target.upstream.upstream.chat({ ...request, model: target.model }, this));
    try {
      return await Promise.race([opening, aborted.promise]);
    } catch (error) {
      opening.then(leave, () => undefined);
      throw error;
    } finally {
      this.signal.removeEventListener("abort", abort);
    }
  }

  /** The committed answer, to its honest end. */
  async *answer(peeked: Peeked<ChatEvent>): AsyncGenerator<ChatEvent> {
    const { request } = this.#options;
    try {
      yield* whole(resume(peeked), {
        choices: request.n ?? 1,
        finished: () => this.#deadlines.finished(),
        late: (error) =>
          this.log.warn("the upstream failed after its answer was complete", { error: String(error) }),
      });
    } catch (error) {
      throw this.explain(error);
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** Whatever a plugin threw, as an error that may be shown: secrets removed, and blamed on the right one. */
  explain(error: unknown): UpstreamError | RequestError {
    if (error instanceof RequestError) return error;
    const { redact, target } = this.#options;
    if (UpstreamError.is(error)) {
      const message = redact(error.message);
      return message === error.message ? error : copy(error, message);
    }
    const { id, plugin } = target.upstream;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.log.error(`the plugin ${plugin} threw what is no UpstreamError`, { error: stack });
    return new UpstreamError("bad-response", `the plugin "${plugin}" of upstream "${id}" failed`, {
      cause: error,
    });
  }

  [Symbol.dispose](): void {
    this.#deadlines[Symbol.dispose]();
    this.#options.call.signal.removeEventListener("abort", this.#requestEnded);
  }

  readonly #requestEnded = (): void => {
    this.#controller.abort(this.#options.call.signal.reason);
    this[Symbol.dispose]();
  };
}

function leave(stream: ChatStream): void {
  stream[Symbol.asyncIterator]()
    .return?.()
    ?.then(undefined, () => undefined);
}

function copy(error: UpstreamError, message: string): UpstreamError {
  const { code, cause, retryAfterMs, param } = error;
  return new UpstreamError(code, message, {
    cause,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(param !== undefined && { param }),
  });
}
