import type {
  Batches,
  Call,
  CanonicalEvent,
  ChatEvent,
  ChatStream,
  NextBatch,
  Usage,
} from "../../../contract/index.ts";
import { UpstreamError } from "../../../contract/index.ts";
import { batchesOf, END_OF_BATCHES } from "../../../answer/batches.ts";
import { sanitizeUsage } from "../../../answer/sanitize-usage.ts";
import { Bounded } from "../../bounded.ts";

/** The most prompts of one request that are asked at a time. */
const AT_ONCE = 4;

/** What is asked once for each prompt of a list. */
export interface PromptList {
  readonly prompts: readonly string[];
  /** The choices that each of them has. */
  readonly choices: number;
  /**
   * Whether the events are held until all answers are whole. Those of plain answers are: the first would otherwise set
   * the deadline `idle` for the others, which may take as long as `total`.
   */
  readonly whole: boolean;
  readonly ask: (prompt: string) => ChatStream | Promise<ChatStream>;
}

/**
 * The answers to a list of prompts as one: at most four are asked at a time, the choices of prompt `p` count from
 * `p × choices` on, and the usage is the sum. The first failure fails all, and leaves the others.
 */
export class PromptAnswers implements AsyncIterableIterator<CanonicalEvent, void> {
  readonly #list: PromptList;
  readonly #call: Pick<Call, "alive">;
  readonly #events: AsyncGenerator<CanonicalEvent, void>;
  readonly #open = new Set<PromptAnswer>();
  readonly #usages: Usage[] = [];
  #asked = 0;
  /** Answers of which something has come, in its order. */
  readonly #arrived: PromptAnswer[] = [];
  #arrival = Promise.withResolvers<void>();
  #isLeft = false;

  constructor(list: PromptList, call: Pick<Call, "alive">) {
    this.#list = list;
    this.#call = call;
    this.#events = list.whole ? this.#whole() : this.#asTheyCome();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<CanonicalEvent, void>> {
    return this.#events.next();
  }

  /** Leaves all that are open, at once. */
  return(): Promise<IteratorResult<CanonicalEvent, void>> {
    this.#isLeft = true;
    this.#close();
    return this.#events.return();
  }

  async *#whole(): AsyncGenerator<CanonicalEvent, void> {
    const held: CanonicalEvent[] = [];
    const bounded = new Bounded();
    try {
      for await (const event of this.#asTheyCome()) {
        if (event.type !== "usage") bounded.add(event);
        held.push(event);
        // An upstream that has said all and doesn't close is not waited for.
        if (this.#isFinished) yield* held.splice(0);
      }
    } catch (error) {
      // Nothing has been delivered, but these were paid.
      if (this.#usages.length > 0) yield { type: "usage", usage: sumOf(this.#usages) };
      throw error;
    }
    if (!this.#isLeft) yield* held;
  }

  /** Whether only usage can still come. */
  get #isFinished(): boolean {
    return this.#asked === this.#list.prompts.length && [...this.#open].every(({ isFinished }) => isFinished);
  }

  async *#asTheyCome(): AsyncGenerator<CanonicalEvent, void> {
    try {
      for (this.#askMore(); this.#open.size > 0; this.#askMore()) {
        const answer = this.#arrived.shift();
        if (answer) yield* this.#take(answer);
        else await this.#nextArrival();
        if (this.#isLeft) return;
      }
      if (this.#usages.length === this.#list.prompts.length)
        yield { type: "usage", usage: sumOf(this.#usages) };
    } finally {
      this.#close();
    }
  }

  #askMore(): void {
    let busy = 0;
    for (const answer of this.#open) if (!answer.isFinished) busy += 1;
    const { prompts, choices, ask } = this.#list;
    for (; busy < AT_ONCE && this.#asked < prompts.length; busy++, this.#asked++) {
      const prompt = prompts[this.#asked] ?? "";
      const answer = new PromptAnswer(this.#asked * choices, choices, () => {
        this.#arrived.push(answer);
        this.#arrival.resolve();
      });
      this.#open.add(answer);
      void answer.begin(() => ask(prompt));
    }
  }

  async #nextArrival(): Promise<void> {
    await this.#arrival.promise;
    this.#arrival = Promise.withResolvers();
  }

  *#take(answer: PromptAnswer): Generator<CanonicalEvent, void> {
    const batch = answer.take();
    if (!batch) {
      this.#open.delete(answer);
      if (answer.usage) this.#usages.push(answer.usage);
      return;
    }
    yield* batch;
    if (batch.length > 0) return void answer.read();
    this.#call.alive();
    // One that goes on saying nothing must not starve the event loop.
    setImmediate(() => void answer.read());
  }

  #close(): void {
    for (const answer of this.#open) answer.leave();
    this.#open.clear();
    this.#arrival.resolve();
  }
}

/** The answer to one prompt. */
class PromptAnswer {
  readonly #first: number;
  readonly #choices: number;
  readonly #onArrival: () => void;
  #source: Batches | undefined;
  #next: NextBatch | { readonly error: unknown } | undefined;
  readonly #begun = new Set<number>();
  readonly #finished = new Set<number>();
  #isLeft = false;
  /** What its upstream has told so far. */
  usage: Usage | undefined;

  constructor(first: number, choices: number, onArrival: () => void) {
    this.#first = first;
    this.#choices = choices;
    this.#onArrival = onArrival;
  }

  /** Whether only its usage can still come. */
  get isFinished(): boolean {
    return this.#finished.size === this.#choices;
  }

  async begin(ask: () => ChatStream | Promise<ChatStream>): Promise<void> {
    try {
      this.#source = batchesOf(await ask());
    } catch (error) {
      return this.#came({ error });
    }
    return this.#isLeft ? this.leave() : this.read();
  }

  /** Reads on: `onArrival` is called when something has come. */
  async read(): Promise<void> {
    try {
      this.#came((await this.#source?.next()) ?? END_OF_BATCHES);
    } catch (error) {
      this.#came({ error });
    }
  }

  /** Returns what has come, or undefined at the end. Throws what the answer failed with. */
  take(): readonly CanonicalEvent[] | undefined {
    const next = this.#next ?? END_OF_BATCHES;
    if ("error" in next) throw next.error;
    if (!next.done) return next.value.flatMap((event) => this.#placed(event));
    const isWhole = this.#begun.size > 0 && this.#begun.size === this.#finished.size;
    if (!isWhole)
      throw new UpstreamError(
        "truncated",
        "the upstream's answer to one of the prompts broke off before its end",
      );
    return undefined;
  }

  leave(): void {
    this.#isLeft = true;
    Promise.try(() => this.#source?.return?.()).then(undefined, () => undefined);
  }

  #came(next: NextBatch | { readonly error: unknown }): void {
    this.#next = next;
    this.#onArrival();
  }

  #placed(event: ChatEvent): readonly CanonicalEvent[] {
    if (event.type === "native") return event.events.flatMap((each) => this.#placed(each));
    if (event.type === "usage") {
      this.usage = { ...this.usage, ...event.usage };
      return [];
    }
    if (event.type === "extra" && event.at === "chunk") return [event];
    const { choice = 0 } = event;
    if (!(choice >= 0 && choice < this.#choices))
      throw new UpstreamError("bad-response", `the upstream sent a choice with index ${choice}`);
    this.#begun.add(choice);
    if (event.type === "finish") this.#finished.add(choice);
    return [{ ...event, choice: this.#first + choice }];
  }
}

const WHOLES = ["input", "output"] as const;
const PARTS = ["cachedInput", "cacheWrite", "reasoning"] as const;

/** The sum of what was told. Tokens that one answer doesn't tell are unknown; a part that it doesn't name, it hasn't. */
function sumOf(usages: readonly Usage[]): Usage {
  const told = usages.map(sanitizeUsage);
  const sum = (name: Exclude<keyof Usage, "raw">) => [
    name,
    told.reduce((all, each) => all + (each[name] ?? 0), 0),
  ];
  const wholes = WHOLES.filter((name) => told.every((usage) => usage[name] !== undefined));
  const parts = PARTS.filter((name) => told.some((usage) => usage[name] !== undefined));
  return Object.fromEntries([...wholes, ...parts].map(sum)) as Usage;
}
