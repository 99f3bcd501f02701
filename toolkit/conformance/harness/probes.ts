import { readdirSync } from "node:fs";

type Starter = typeof setTimeout | typeof setInterval;

/** Records timers that are started. Those of Node's modules and of the kit itself are not seen. */
export class TimerProbe implements Disposable {
  readonly #started: { readonly timer: NodeJS.Timeout; readonly at: string }[] = [];
  readonly #setTimeout = globalThis.setTimeout;
  readonly #setInterval = globalThis.setInterval;

  constructor() {
    globalThis.setTimeout = this.#watched(this.#setTimeout);
    globalThis.setInterval = this.#watched(this.#setInterval);
  }

  /** The places where the pending timers were started. */
  get pending(): readonly string[] {
    return this.#started.filter(({ timer }) => !isOver(timer)).map(({ at }) => at);
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#setTimeout;
    globalThis.setInterval = this.#setInterval;
  }

  #watched<T extends Starter>(start: T): T {
    const watched = (...given: Parameters<Starter>): NodeJS.Timeout => {
      const timer = Reflect.apply(start, globalThis, given) as NodeJS.Timeout;
      this.#started.push({ timer, at: callerIn(new Error("started").stack) });
      return timer;
    };
    return Object.assign(watched, start) as T;
  }
}

function isOver(timer: NodeJS.Timeout): boolean {
  return "_destroyed" in timer && timer._destroyed === true;
}

/** Returns the first line of a stack that is not in this file. */
function callerIn(stack = ""): string {
  const lines = stack.split("\n").slice(1);
  return (
    lines.find((line) => line.includes("/") && !line.includes(import.meta.path))?.trim() ?? "an unknown place"
  );
}

/** Records unhandled rejections. */
export class RejectionProbe implements Disposable {
  readonly seen: unknown[] = [];

  constructor() {
    process.on("unhandledRejection", this.#note);
  }

  [Symbol.dispose](): void {
    process.off("unhandledRejection", this.#note);
  }

  readonly #note = (reason: unknown): void => void this.seen.push(reason);
}

/** Returns the number of open files and sockets of this process; undefined where the system doesn't tell. */
export function countOpenDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}

/** Makes fetch and WebSocket throw, and records their use. */
export class NetworkTrap implements Disposable {
  readonly seen: string[] = [];
  readonly #fetch = globalThis.fetch;
  readonly #webSocket = globalThis.WebSocket;

  constructor() {
    const note = (what: string): never => {
      this.seen.push(what);
      throw new Error("the network may not be used while an upstream is being opened");
    };
    const trapped = async (input: string | URL | Request): Promise<Response> =>
      note(`fetch ${input instanceof Request ? input.url : String(input)}`);
    globalThis.fetch = Object.assign(trapped, { preconnect: () => note("fetch.preconnect") });
    globalThis.WebSocket = new Proxy(this.#webSocket, {
      construct: (_, [url]) => note(`WebSocket ${String(url)}`),
    });
  }

  [Symbol.dispose](): void {
    globalThis.fetch = this.#fetch;
    globalThis.WebSocket = this.#webSocket;
  }
}
