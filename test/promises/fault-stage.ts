import OpenAI, { APIError } from "openai";
import type { Exchange } from "../support/fault-upstream.ts";
import {
  jsonAnswer,
  openaiChunks,
  openaiCompletion,
  sseAnswer,
  startFaultUpstream,
} from "../support/fault-upstream.ts";
import { forwardTo, tries } from "../support/forward-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { rawServer } from "../support/silent-server.ts";
import { until } from "../support/until.ts";
import type { Fault } from "./faults.ts";
import { TEXT } from "./faults.ts";

/** One way to ask: in which form, and with another upstream behind the faulty one or not. */
export interface Cell {
  readonly stream: boolean;
  readonly backed: boolean;
}

/** In the order of the matrix's columns. */
export const CELLS: readonly Cell[] = [
  { stream: true, backed: false },
  { stream: true, backed: true },
  { stream: false, backed: false },
  { stream: false, backed: true },
];

const OTHER_TEXT = "From the other one.";
const ATTEMPTS = 3;

function nameOf({ stream, backed }: Cell): string {
  return `${stream ? "stream" : "json"}-${backed ? "backed" : "alone"}`;
}

/** A gateway whose upstreams fail in one way: one for each cell, so that none pays for what another has spent. */
export class FaultStage implements AsyncDisposable {
  readonly #fault: Fault;
  readonly #scope: AsyncDisposableStack;
  readonly #gateway: RunningGateway;
  readonly #client: OpenAI;
  /** What the client has heard of the answer of the cell that is being shown. */
  #heard = "";

  private constructor(fault: Fault, gateway: RunningGateway, scope: AsyncDisposableStack) {
    this.#fault = fault;
    this.#scope = scope;
    this.#gateway = gateway;
    this.#client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
  }

  static async set(fault: Fault): Promise<FaultStage> {
    await using scope = new AsyncDisposableStack();
    const faulty = scope.use(await startFaultUpstream());
    const sound = scope.use(await startFaultUpstream());
    sound.respond = answerSoundly;
    const plain = scope.use(rawServer("HTTP/1.1 400 Bad Request\r\n\r\n", "close"));
    const url = {
      nowhere: unusedUrl(),
      "no such host": "http://nobody.invalid",
      "plain port by TLS": byTls(plain.url),
    };
    const yaml = yamlFor(fault.at ? url[fault.at] : faulty.url, sound.url, fault.timeouts);
    const gateway = scope.use(await startGateway(yaml));
    const stage = new FaultStage(fault, gateway, scope.move());
    faulty.respond = (exchange) => stage.#play(exchange);
    return stage;
  }

  /** What the official client sees, and how many calls to the faulty and to the other upstream it took. */
  async show(cell: Cell): Promise<string> {
    this.#heard = "";
    const before = this.#calls("sound");
    const ended = await this.#ask(cell).then(
      () =>
        this.#heard === TEXT
          ? "its answer"
          : this.#heard === OTHER_TEXT
            ? "the other's answer"
            : sizeOf(this.#heard),
      (error: unknown) => this.#failure(error),
    );
    const calls = this.#calls(nameOf(cell));
    return `${ended} (${cell.backed ? `${calls} + ${this.#calls("sound") - before}` : calls})`;
  }

  async #ask({ stream, ...rest }: Cell): Promise<void> {
    const model = nameOf({ stream, ...rest });
    const messages = [{ role: "user", content: model } as const];
    if (!stream) {
      const { choices } = await this.#client.chat.completions.create({ model, messages });
      this.#heard = choices[0]?.message.content ?? "";
      return;
    }
    const chunks = await this.#client.chat.completions.create({ model, messages, stream });
    for await (const { choices } of chunks) this.#heard += choices[0]?.delta.content ?? "";
  }

  #failure(error: unknown): string {
    if (!(error instanceof APIError)) throw error;
    const what = [error.status, error.code].filter((part) => part !== undefined).join(" ");
    return this.#heard === "" ? what : `"${this.#heard}", then ${what}`;
  }

  #play(exchange: Exchange): void | Promise<void> {
    const { messages, stream = false } = exchange.json() as {
      messages: [{ content: string }];
      stream?: boolean;
    };
    const id = messages[0].content;
    const call = this.#calls(id);
    const heard = () =>
      until(
        () => (stream ? this.#heard !== "" : this.#status(id).heads === call),
        "what the upstream sent before its fault",
      );
    return this.#fault.play?.(exchange, { stream, call, heard });
  }

  #calls(id: string): number {
    return this.#status(id).calls;
  }

  #status(id: string): { readonly calls: number; readonly heads: number } {
    const status = this.#gateway.gateway.upstreams.get(id)?.upstream.status?.();
    return status as { calls: number; heads: number };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope.disposeAsync();
  }
}

function yamlFor(faulty: string, sound: string, timeouts = "{}"): string {
  const names = CELLS.map(nameOf);
  const upstreams = names.map((name) => forwardTo(name, faulty, `timeouts: ${timeouts}`)).join("");
  const routes = CELLS.map((cell) => ({
    model: nameOf(cell),
    targets: [nameOf(cell), ...(cell.backed ? ["sound"] : [])],
  }));
  const rules = tries(ATTEMPTS).replace("attempts: 3", "attempts: 3, backoff: 1ms");
  return `${rules}upstreams:\n${upstreams}${forwardTo("sound", sound)}routes: ${JSON.stringify(routes)}\n`;
}

function answerSoundly(exchange: Exchange): void {
  const { stream } = exchange.json() as { stream?: boolean };
  exchange.send(stream ? sseAnswer(openaiChunks(OTHER_TEXT)) : jsonAnswer(openaiCompletion(OTHER_TEXT)));
}

/** An address at which nobody listens any more. */
function unusedUrl(): string {
  using server = rawServer("", "close");
  return server.url.slice(0, -1);
}

function byTls(url: string): string {
  return url.replace("http:", "https:").slice(0, -1);
}

function sizeOf(text: string): string {
  return `all ${text.length / 1_000_000} MB`;
}
