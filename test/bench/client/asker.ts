import { bodyOf, LANES } from "../order.ts";
import type { Api, Order } from "../order.ts";
import type { Expected } from "./answer-check.ts";
import { AnswerCheck } from "./answer-check.ts";
import { Connection } from "./connection.ts";
import type { Load, Target } from "./job.ts";
import { Tally } from "./tally.ts";

/** One of a load's connections, with what it asks ready to be sent. */
export class Asker {
  readonly tally: Tally;
  readonly #connection: Connection;
  readonly #request: Buffer;
  readonly #order: Order;
  readonly #header: string | undefined;
  readonly #api: Api;

  /** `number` counts the connections of a load: each has a text of its own. */
  constructor(load: Load, number: number, tally = new Tally()) {
    this.tally = tally;
    this.#order = { ...load.order, lane: number % LANES };
    this.#header = load.header;
    this.#api = load.api ?? "chat";
    this.#connection = new Connection(load.target.port);
    this.#request = requestTo(load.target, bodyOf(this.#order, load.bytes, load.api), load.api);
  }

  /** Asks once and counts what comes of it. */
  async ask(): Promise<void> {
    const check = this.#check(() => this.tally.began());
    const askedAt = performance.now();
    try {
      await this.#connection.ask(this.#request, check);
      check.end();
      this.tally.completed(check, askedAt);
    } catch (error) {
      this.tally.failed(error);
    }
    if (check.firstAt !== undefined) this.tally.ended();
  }

  /** Asks, and leaves at the first text; that it came is what counts. */
  async leave(): Promise<void> {
    const check = this.#check(() => this.#connection.close());
    const askedAt = performance.now();
    await this.#connection.ask(this.#request, check).catch((error: unknown) => {
      if (check.firstAt === undefined) this.tally.failed(error);
      else this.tally.completed(check, askedAt);
    });
  }

  close(): void {
    this.#connection.close();
  }

  #check(begun: () => void): BegunCheck {
    return new BegunCheck({ order: this.#order, header: this.#header, api: this.#api, begun });
  }
}

/** A check that tells of the first text. */
class BegunCheck extends AnswerCheck {
  readonly #begun: () => void;

  constructor({ begun, ...expected }: Expected & { begun: () => void }) {
    super(expected);
    this.#begun = begun;
  }

  override body(piece: string): void {
    const isFirst = this.firstAt === undefined;
    super.body(piece);
    if (isFirst && this.firstAt !== undefined) this.#begun();
  }
}

const PATHS: Readonly<Record<Api, string>> = {
  chat: "/v1/chat/completions",
  messages: "/v1/messages",
};

/** The bytes of a request. */
export function requestTo({ port, headers }: Target, body: string, api: Api = "chat"): Buffer {
  const all = { host: `127.0.0.1:${port}`, "content-type": "application/json", ...headers };
  const lines = Object.entries({ ...all, "content-length": body.length }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.from(`POST ${PATHS[api]} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}
