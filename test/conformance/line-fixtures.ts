import type { Server, ServerWebSocket } from "bun";
import type { Fixtures, Scenario, TestUpstream } from "modelyard/conformance";
import type { JsonObject } from "modelyard/plugin";

const NO_BYTES = "a WebSocket gives whole messages";

/** The upstream of the plugin `line`. */
const fixtures: Fixtures = {
  model: "line-1",
  upstream: (scenario) => startLine(scenario),
  unsupported: {
    reasoning: "it has none",
    tools: "it takes the tools and calls none",
    split: NO_BYTES,
    oversized: "it takes whatever is sent",
    pages: "it has one model",
    begun: "an answer has no beginning but its first text",
  },
};

export default fixtures;

type Line = ServerWebSocket<{ key: string }>;

/** A service that signs users up over HTTP and answers over WebSockets. */
function startLine(scenario: Scenario): TestUpstream {
  const service = new Service(scenario);
  const server = Bun.serve<{ key: string }>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => service.answer(request, self),
    websocket: {
      message: (line, message) => service.talk(line, String(message)),
      close: (line) => void service.lines.delete(line),
    },
  });
  return {
    options: { base_url: `http://127.0.0.1:${server.port}` },
    received: service.received,
    get active() {
      return service.lines.size;
    },
    get accepted() {
      return service.asked;
    },
    get connections() {
      return server.pendingWebSockets;
    },
    get sent() {
      return service.sent;
    },
    get signUps() {
      return service.signUps;
    },
    get secrets() {
      return service.secrets;
    },
    ping() {
      for (const line of service.lines) line.send("{}");
      return service.lines.size;
    },
    expire: () => service.good.clear(),
    async [Symbol.asyncDispose]() {
      service.lines.clear();
      await server.stop(true);
    },
  };
}

class Service {
  readonly received: string[] = [];
  readonly secrets: string[] = [];
  readonly good = new Set<string>();
  readonly lines = new Set<Line>();
  signUps = 0;
  asked = 0;
  sent = 0;
  readonly #scenario: Scenario;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  answer(request: Request, server: Server<{ key: string }>): Response | undefined {
    this.asked += 1;
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/line") {
      return server.upgrade(request, { data: { key: searchParams.get("key") ?? "" } })
        ? undefined
        : new Response();
    }
    const known = /^\/users\/(.+)$/.exec(pathname)?.[1];
    const name = known ?? `user-${(this.signUps += 1)}`;
    const key = `line-key-${crypto.randomUUID()}`;
    this.secrets.push(key);
    this.good.add(key);
    return Response.json({ name, key });
  }

  talk(line: Line, message: string): void {
    this.received.push(message);
    this.lines.add(line);
    const { name, answer, errorMessage, retryAfterSeconds } = this.#scenario;
    const said = answer.events.map((event) => ({ say: event.type === "text" ? event.text : "" }));
    const half = said.slice(0, said.length / 2);
    const end = { done: answer.finish, tokens: { in: answer.usage.input, out: answer.usage.output } };
    if (!this.good.has(line.data.key) || name === "refused")
      return this.#say(line, [{ refused: errorMessage }]);
    if (name === "limited") return this.#say(line, [{ wait: retryAfterSeconds }]);
    if (name === "spent") return this.#say(line, [{ broke: errorMessage, wait: retryAfterSeconds }]);
    if (name === "filtered") return this.#say(line, [{ improper: errorMessage }]);
    if (name === "joined") return this.#say(line, [...said.slice(0, -1), { ...said.at(-1), ...end }]);
    if (name === "broken") return this.#say(line, [{ oops: errorMessage }]);
    if (name === "silent") return;
    if (name === "endless") return this.#talkOn(line, said);
    if (name === "end") return this.#hangUp(line, said);
    const isHalf = ["stall", "cut", "garbage", "failing"].includes(name);
    this.#say(line, isHalf ? half : [...said, end]);
    if (name === "cut") line.terminate();
    if (name === "garbage") line.send("}{ <html>");
    if (name === "failing") this.#say(line, [{ oops: errorMessage }]);
  }

  #say(line: Line, all: readonly JsonObject[]): void {
    for (const said of all) {
      const text = JSON.stringify(said);
      // What has to wait for its turn gives -1 and is sent all the same.
      if (line.send(text) !== 0) this.sent += Buffer.byteLength(text);
    }
  }

  #hangUp(line: Line, said: readonly JsonObject[]): void {
    this.#say(line, said);
    line.close();
  }

  /** A round at each turn of the loop, so that others get theirs, unless the one before still waits to be read. */
  #talkOn(line: Line, said: readonly JsonObject[]): void {
    if (!this.lines.has(line)) return;
    if (line.getBufferedAmount() === 0) this.#say(line, said);
    setImmediate(() => this.#talkOn(line, said));
  }
}
