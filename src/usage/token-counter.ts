import type { GatewayLogger } from "../log.ts";
import type { CountRequest, CountResult } from "./token-worker.ts";

/** Longest piece that the tokenizer gets, because it is quadratic in the length of runs. */
const PIECE_LENGTH = 512;
/** Length of the kept sample; the rest is extrapolated. */
const SAMPLE_LENGTH = 20_000;
/** Pieces that are collected before they are joined to the sample. */
const MAX_LOOSE_PIECES = 8;
/** Longest wait for a count, in ms; the first includes loading the tables. */
const COUNT_TIMEOUT_MS = 2_000;
/** Bound of pending requests; further texts are estimated at once. */
const MAX_REQUESTS = 500;

/**
 * Counts tokens for answers without reported usage, with OpenAI's o200k tokenizer in a worker that starts when first needed.
 * Falls back to an estimate if the worker doesn't answer in time.
 */
export class TokenCounter implements Disposable {
  readonly #log: GatewayLogger;
  #worker: Worker | undefined;
  #requests = new Map<number, (tokens: number | undefined) => void>();
  #lastId = 0;

  constructor(log: GatewayLogger) {
    this.#log = log;
  }

  /** Returns an empty text, to which pieces are added. */
  text(): CountedText {
    return new CountedText(this);
  }

  /** Resolves with the tokens of all pieces; undefined if the worker doesn't answer in time. */
  async count(pieces: readonly string[]): Promise<number | undefined> {
    if (pieces.length === 0) return 0;
    if (this.#requests.size >= MAX_REQUESTS) return undefined;
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    this.#requests.set(id, resolve);
    const timer = setTimeout(resolve, COUNT_TIMEOUT_MS, undefined);
    const request: CountRequest = { id, pieces };
    this.#start().postMessage(request);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#requests.delete(id);
    }
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL("./token-worker.ts", import.meta.url), { ref: false });
    worker.onmessage = (message: MessageEvent<CountResult>) => {
      this.#requests.get(message.data.id)?.(message.data.tokens);
    };
    worker.onerror = (event) => {
      this.#log.error("token counter failed; tokens are estimated until it has restarted", {
        error: event.message,
      });
      this[Symbol.dispose]();
    };
    this.#worker = worker;
    return worker;
  }

  [Symbol.dispose](): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const resolve of this.#requests.values()) resolve(undefined);
  }
}

/** Counts the tokens of a text of any length, of which only the beginning is kept. */
export class CountedText {
  readonly #counter: TokenCounter;
  #sample = "";
  /** The latest pieces, not yet in the sample, and their length. */
  #latest: string[] = [];
  #latestLength = 0;
  #length = 0;

  constructor(counter: TokenCounter) {
    this.#counter = counter;
  }

  add(text: string): void {
    this.#length += text.length;
    const room = SAMPLE_LENGTH - this.#sample.length - this.#latestLength;
    if (room <= 0) return;
    const piece = text.length > room ? text.slice(0, room) : text;
    this.#latestLength += piece.length;
    if (this.#latest.push(piece) === MAX_LOOSE_PIECES) this.#join();
  }

  async tokens(): Promise<number> {
    this.#join();
    return this.#scaled((await this.#counter.count(cut(this.#sample))) ?? roughCount(this.#sample));
  }

  /** Returns a rough estimate of the tokens. */
  roughTokens(): number {
    this.#join();
    return this.#scaled(roughCount(this.#sample));
  }

  #scaled(ofSample: number): number {
    return Math.ceil(ofSample * (this.#length / Math.max(1, this.#sample.length)));
  }

  /** Copies the pieces by `join`, so that they don't retain their chunks; `+=` would make a rope that does. */
  #join(): void {
    this.#sample += this.#latest.join("");
    this.#latest = [];
    this.#latestLength = 0;
  }
}

/** Splits a text into pieces of at most PIECE_LENGTH, before spaces if possible and never within a character. */
export function cut(text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (from < text.length) {
    let to = Math.min(from + PIECE_LENGTH, text.length);
    if (to < text.length) {
      const space = text.lastIndexOf(" ", to);
      if (space > from) to = space;
      // Don't split a surrogate pair.
      else if ((text.codePointAt(to - 1) ?? 0) > 0xffff) to -= 1;
    }
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}

/** Estimates four characters per token, and one in East Asian scripts. */
function roughCount(text: string): number {
  const wide = text.match(/[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]/g)?.length ?? 0;
  return Math.ceil(wide + (text.length - wide) / 4);
}
