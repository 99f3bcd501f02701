import type { ResponseSink } from "./response-reader.ts";
import { textOf } from "../order.ts";
import type { Api, Order } from "../order.ts";
import { messagePiece } from "./message-piece.ts";

/** What an answer must be. */
export interface Expected {
  readonly order: Order;
  readonly api: Api;
  /** A line that the answer's head must have, in small letters. */
  readonly header: string | undefined;
}

/** What is read of an answer, whole or a chunk of it. */
export interface Said {
  readonly choices?: readonly {
    readonly message?: { readonly content?: string };
    readonly delta?: { readonly content?: string };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly completion_tokens?: number } | null;
  readonly error?: unknown;
}

/**
 * Reads an answer and compares it, word for word, with what was ordered. A gateway may write the envelope anew,
 * and put pieces together; text, order, finish, usage and the end mark must be those of the upstream.
 */
export class AnswerCheck implements ResponseSink {
  /** performance.now() of the first piece of text, and of the last. */
  firstAt: number | undefined;
  lastAt = 0;
  /** Milliseconds between pieces of text that didn't arrive together. */
  readonly gaps: number[] = [];
  readonly #order: Order;
  readonly #expected: string;
  readonly #header: string;
  readonly #api: Api;
  #said = 0;
  #rest = "";
  #isFinished = false;
  #isDone = false;
  #hasUsage = false;

  constructor({ order, header = "", api }: Expected) {
    this.#order = order;
    this.#header = header;
    this.#api = api;
    this.#expected = textOf(order);
  }

  head(status: number, head: string): void {
    if (status !== 200) throw new Error(`status ${status}`);
    if (!head.toLowerCase().includes(this.#header)) throw new Error(`no "${this.#header}"`);
  }

  body(piece: string): void {
    this.#rest += piece;
    if (this.#order.kind === "plain") return;
    const before = this.#said;
    const frames = this.#rest.split("\n\n");
    this.#rest = frames.pop() ?? "";
    for (const frame of frames) this.#frame(frame);
    if (this.#said > before) this.#textCame();
  }

  /** Throws if something is missing. */
  end(): void {
    if (this.#order.kind === "plain") this.#take(JSON.parse(this.#rest) as Said);
    else if (!this.#isDone) throw new Error("no [DONE]");
    else if (this.#rest !== "") throw new Error("half an event at the end");
    if (this.#said < this.#expected.length) throw new Error(`only ${this.#said} characters of the text`);
    if (!this.#isFinished) throw new Error("no finish_reason");
    if (!this.#hasUsage) throw new Error("no usage");
  }

  #frame(frame: string): void {
    if (frame.startsWith(":")) return;
    if (this.#api === "messages") return this.#message(frame);
    if (!frame.startsWith("data: ")) throw new Error(`no data: ${frame.slice(0, 80)}`);
    if (this.#isDone) throw new Error("an event after [DONE]");
    const data = frame.slice("data: ".length);
    if (data === "[DONE]") this.#isDone = true;
    else this.#take(JSON.parse(data) as Said);
  }

  #message(frame: string): void {
    const piece = messagePiece(frame);
    if (this.#isDone) throw new Error("an event after message_stop");
    if (piece === "end") this.#isDone = true;
    else this.#take(piece);
  }

  #take(said: Said): void {
    if (said.error !== undefined) throw new Error(`error: ${JSON.stringify(said.error)}`);
    const choice = said.choices?.[0];
    const text = choice?.delta?.content ?? choice?.message?.content ?? "";
    if (!this.#expected.startsWith(text, this.#said)) {
      throw new Error(`at ${this.#said} comes ${JSON.stringify(text.slice(0, 40))}`);
    }
    this.#said += text.length;
    if (choice?.finish_reason === "stop") this.#isFinished = true;
    if (said.usage?.completion_tokens !== undefined) this.#checkUsage(said.usage.completion_tokens);
  }

  #checkUsage(tokens: number): void {
    if (tokens !== this.#order.tokens) throw new Error(`usage says ${tokens} tokens`);
    this.#hasUsage = true;
  }

  #textCame(): void {
    const now = performance.now();
    if (this.firstAt === undefined) this.firstAt = now;
    else this.gaps.push(now - this.lastAt);
    this.lastAt = now;
  }
}
