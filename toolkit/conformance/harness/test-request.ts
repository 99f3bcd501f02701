import type {
  Batches,
  ChatEvent,
  ChatRequest,
  FinishEvent,
  Upstream,
  Usage,
} from "../../../src/contract/index.ts";
import { batchesOf } from "../../../src/answer/batches.ts";
import type { TestCall } from "./test-call.ts";
import { Broken } from "./verdict.ts";
import { LATE, within } from "./timing.ts";

/** A tool call, put together from its pieces. */
export interface CollectedCall {
  readonly index: number;
  readonly ids: readonly string[];
  readonly names: readonly string[];
  readonly arguments: string;
}

/** An answer as far as it has come. */
export class Outcome {
  readonly events: ChatEvent[] = [];
  /** What it failed with. */
  error: unknown;
  /** Whether the stream has ended by itself. */
  hasEnded = false;

  get text(): string {
    return this.#all("text");
  }

  get reasoning(): string {
    return this.#all("reasoning");
  }

  get finishes(): readonly FinishEvent[] {
    return this.events.filter((event) => event?.type === "finish");
  }

  /** The last value of each count. */
  get usage(): Usage {
    const usages = this.events.map((event) => (event?.type === "usage" ? event.usage : {}));
    return Object.assign({}, ...usages) as Usage;
  }

  get toolCalls(): readonly CollectedCall[] {
    const pieces = this.events.filter((event) => event?.type === "tool-call");
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
    return this.events.map((event) => (event?.type === type ? event.text : "")).join("");
  }
}

/** One request to an upstream, read step by step as the gateway does. */
export class Asked {
  readonly outcome = new Outcome();
  readonly call: TestCall;
  readonly #events: Promise<Batches>;
  readonly #patience: number;
  #step: Promise<void> | undefined;

  constructor(
    upstream: Upstream,
    request: ChatRequest,
    { call, patience }: { call: TestCall; patience: number },
  ) {
    this.call = call;
    this.#patience = patience;
    this.#events = (async () => batchesOf(checkedStream(await upstream.chat(request, call.call))))();
    this.#events.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.outcome.hasEnded || this.outcome.error !== undefined;
  }

  /** Reads until something was said or the answer is over. Throws Broken when that takes too long. */
  async step(meanwhile: string): Promise<Outcome> {
    this.#step ??= this.#read();
    if ((await within(this.#step, this.#patience)) === LATE) {
      throw new Broken(`for ${this.#patience} ms nothing came of chat(), ${meanwhile}`);
    }
    return this.outcome;
  }

  /** Reads to the end, whatever that is. */
  async all(meanwhile = "though the upstream had given its answer"): Promise<Outcome> {
    while (!this.isOver) await this.step(meanwhile);
    return this.outcome;
  }

  /** Whether it waits for what comes next. */
  get isWaiting(): boolean {
    return this.#step !== undefined;
  }

  /** Begins to wait for what comes next, without waiting. */
  begin(): void {
    this.#step ??= this.#read();
  }

  /** Whether the wait that was begun has ended within the kit's patience. */
  async settles(): Promise<boolean> {
    return (await within(this.#step ?? Promise.resolve(), this.#patience)) !== LATE;
  }

  /** Leaves as the gateway does; tells whether that ended within the kit's patience. */
  async leave(): Promise<boolean> {
    const leaving = (async () => (await this.#events).return?.())();
    return (
      (await within(
        leaving.catch(() => undefined),
        this.#patience,
      )) !== LATE
    );
  }

  async #read(): Promise<void> {
    try {
      const next = await (await this.#events).next();
      if (next.done === true) this.outcome.hasEnded = true;
      else this.outcome.events.push(...next.value);
    } catch (error) {
      this.outcome.error = error ?? new Error("it threw nothing");
    }
    this.#step = undefined;
  }
}

function checkedStream<T>(stream: T): T {
  if (typeof stream === "object" && stream !== null && Symbol.asyncIterator in stream) return stream;
  throw new Broken("chat() gives nothing that can be iterated: make it an async generator");
}
