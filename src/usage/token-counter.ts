import type { GatewayLogger } from "../log.ts";
import type { CountRequest, CountResult } from "./token-worker.ts";

/** Runs longer than this are cut, because the tokenizer is quadratic in them. */
const PIECE_LENGTH = 512;
/** Text beyond this is not kept: its share is computed from that of the text before it. */
const SAMPLE_LENGTH = 20_000;
/** So many pieces of a text are kept as they came. */
const MAX_LOOSE_PIECES = 8;
/** How long an answer may wait for its count, in ms; loading the tables is part of the first one's wait. */
const COUNT_TIMEOUT_MS = 2_000;
/** Orders beyond this are estimated at once, so that the queue can't grow without a bound. */
const MAX_REQUESTS = 500;

/**
 * Counts the tokens of texts for which the upstream gave no usage, with OpenAI's o200k tokenizer, in a worker
 * that is started when it is first needed. When it can't answer in time the count is a rougher estimate.
 */
export class TokenCounter implements Disposable {
  readonly #log: GatewayLogger;
  #worker: Worker | undefined;
  #requests = new Map<number, (tokens: number | undefined) => void>();
  #lastId = 0;

  constructor(log: GatewayLogger) {
    this.#log = log;
  }

  /** An empty text, to which pieces can be added as they come. */
  text(): CountedText {
    return new CountedText(this);
  }

  /** The tokens in all pieces together; undefined when that can't be told in time. */
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

/** A text of any length whose tokens can be counted, of which only the beginning is held. */
export class CountedText {
  readonly #counter: TokenCounter;
  #sample = "";
  /** The last pieces of the sample, which aren't in it yet, and their length. */
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

  /** The same at once, and roughly. */
  roughTokens(): number {
    this.#join();
    return this.#scaled(roughCount(this.#sample));
  }

  #scaled(ofSample: number): number {
    return Math.ceil(ofSample * (this.#length / Math.max(1, this.#sample.length)));
  }

  /**
   * Pieces are copied out of the chunks in which they came, which would be kept with them. By `+=` they wouldn't be:
   * the engine keeps a text that grew that way as its pieces.
   */
  #join(): void {
    this.#sample += this.#latest.join("");
    this.#latest = [];
    this.#latestLength = 0;
  }
}

/** Pieces of at most PIECE_LENGTH, cut before a space where there is one, and never within a character. */
export function cut(text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (from < text.length) {
    let to = Math.min(from + PIECE_LENGTH, text.length);
    if (to < text.length) {
      const space = text.lastIndexOf(" ", to);
      if (space > from) to = space;
      // A character that takes two units stays whole.
      else if ((text.codePointAt(to - 1) ?? 0) > 0xffff) to -= 1;
    }
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}

/** Four characters a token in alphabetic scripts, one in those of East Asia. */
function roughCount(text: string): number {
  const wide = text.match(/[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]/g)?.length ?? 0;
  return Math.ceil(wide + (text.length - wide) / 4);
}
