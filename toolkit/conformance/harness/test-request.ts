import type {
  Batches,
  ChatEvent,
  ChatStream,
  FinishEvent,
  NativeEvent,
  Usage,
} from "../../../src/contract/index.ts";
import { canonicalEvents } from "../../../src/answer/canonical-events.ts";
import { batchesOf } from "../../../src/answer/batches.ts";
import type { TestCall } from "./test-call.ts";
import { RuleViolation } from "./verdict.ts";
import { TIMED_OUT, withTimeout } from "./timing.ts";

/** A tool call, assembled from its pieces. */
export interface CollectedToolCall {
  readonly index: number;
  readonly ids: readonly string[];
  readonly names: readonly string[];
  readonly arguments: string;
}

/** The part of an answer that has been read. */
export class CollectedAnswer {
  readonly events: ChatEvent[] = [];
  /** The error with which the answer ended, if any. */
  error: unknown;
  /** True when the stream has ended without an error. */
  hasEnded = false;

  /** The frames of the upstream's own API. */
  get frames(): readonly NativeEvent[] {
    return this.events.filter((event) => event?.type === "native");
  }

  get text(): string {
    return this.#all("text");
  }

  get reasoning(): string {
    return this.#all("reasoning");
  }

  get finishes(): readonly FinishEvent[] {
    return this.#canonical.filter((event) => event?.type === "finish");
  }

  /** The last value of each usage count. */
  get usage(): Usage {
    const usages = this.#canonical.map((event) => (event?.type === "usage" ? event.usage : {}));
    return Object.assign({}, ...usages) as Usage;
  }

  get toolCalls(): readonly CollectedToolCall[] {
    const pieces = this.#canonical.filter((event) => event?.type === "tool-call");
    return [...new Set(pieces.map(({ index }) => index))].map((index) => {
      const own = pieces.filter((piece) => piece.index === index);
      return {
        index,
        ids: own.flatMap(({ id }) => id ?? []),
        names: own.flatMap(({ name }) => name ?? []),
        arguments: own.map((piece) => piece.arguments ?? "").join(""),
      };
    });
  }

  #all(type: "text" | "reasoning"): string {
    return this.#canonical.map((event) => (event?.type === type ? event.text : "")).join("");
  }

  /** The events, with those of frames in place of them. A plugin may give anything. */
  get #canonical(): ReturnType<typeof canonicalEvents> {
    return canonicalEvents(this.events.filter((event) => Boolean(event)));
  }
}

/** One request to an upstream. Its answer is read batch by batch, as the gateway does. */
export class TestRequest {
  readonly answer = new CollectedAnswer();
  readonly call: TestCall;
  readonly #events: Promise<Batches>;
  readonly #patience: number;
  #step: Promise<void> | undefined;

  constructor(
    ask: () => ChatStream | Promise<ChatStream>,
    { call, patience }: { call: TestCall; patience: number },
  ) {
    this.call = call;
    this.#patience = patience;
    this.#events = (async () => batchesOf(checkedStream(await ask())))();
    this.#events.catch(() => undefined);
  }

  get isDone(): boolean {
    return this.answer.hasEnded || this.answer.error !== undefined;
  }

  /** Reads one batch or the end. Throws RuleViolation after the time limit; `meanwhile` completes its message. */
  async readNext(meanwhile: string): Promise<CollectedAnswer> {
    this.#step ??= this.#read();
    if ((await withTimeout(this.#step, this.#patience)) === TIMED_OUT) {
      throw new RuleViolation(`for ${this.#patience} ms chat() produced no event, ${meanwhile}`);
    }
    return this.answer;
  }

  /** Reads until the answer has ended or failed. */
  async readAll(meanwhile = "though the upstream had given its answer"): Promise<CollectedAnswer> {
    while (!this.isDone) await this.readNext(meanwhile);
    return this.answer;
  }

  /** True while a read is pending. */
  get isWaiting(): boolean {
    return this.#step !== undefined;
  }

  /** Starts a read without awaiting it. */
  startReading(): void {
    this.#step ??= this.#read();
  }

  /** Returns whether the pending read ends within the time limit. */
  async settles(): Promise<boolean> {
    return (await withTimeout(this.#step ?? Promise.resolve(), this.#patience)) !== TIMED_OUT;
  }

  /** Cancels by return(), as the gateway does; resolves with whether that ended within the time limit. */
  async cancel(): Promise<boolean> {
    const leaving = this.#events.then((events) => events.return?.()).catch(() => undefined);
    return (await withTimeout(leaving, this.#patience)) !== TIMED_OUT;
  }

  async #read(): Promise<void> {
    try {
      const next = await (await this.#events).next();
      if (next.done === true) this.answer.hasEnded = true;
      else this.answer.events.push(...next.value);
    } catch (error) {
      this.answer.error = error ?? new Error("it threw nothing");
    }
    this.#step = undefined;
  }
}

function checkedStream<T>(stream: T): T {
  if (typeof stream === "object" && stream !== null && Symbol.asyncIterator in stream) return stream;
  throw new RuleViolation("chat() returns nothing that can be iterated: make it an async generator");
}
