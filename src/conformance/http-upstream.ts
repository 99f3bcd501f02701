import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "../contract/index.ts";
import type { TestUpstream } from "./fixtures.ts";

/** A request as it came. */
export interface HttpRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
  /** The body as JSON; undefined if it is none. */
  readonly json: unknown;
}

/** The means to answer one request, to the byte. Once the client has left all of them do nothing. */
export interface HttpReply {
  /** Aborted when the client has left, or the upstream is stopped. */
  readonly signal: AbortSignal;
  /** Sends status and headers at once. */
  head(status: number, headers?: Readonly<Record<string, string>>): void;
  /** Sends a piece of the body; resolves when there is room for the next one, or the client has left. */
  write(piece: string | Uint8Array): Promise<void>;
  /** Ends the answer in an orderly way. */
  end(piece?: string): void;
  /** Breaks the connection. */
  reset(): void;
}

export interface HttpUpstreamSetup {
  /** The plugin's options for an upstream at this address, which has no slash at its end. */
  options(url: string): JsonObject;
  /** Answers one request. What it throws breaks the connection. */
  respond(request: HttpRequest, reply: HttpReply): void | Promise<void>;
  /**
   * How many answers it is at work on although no request is open for them: jobs that nobody has cancelled yet.
   * `active` counts them with the open requests. Default none.
   */
  active?(): number;
}

/** Starts an HTTP server on 127.0.0.1 that counts and keeps what a test of a plugin needs to see. */
export async function httpUpstream(setup: HttpUpstreamSetup): Promise<TestUpstream> {
  const seen: Seen = { active: 0, accepted: 0, sent: 0, received: [], streams: new Set() };
  const server = createServer((message, response) => {
    seen.active += 1;
    response.once("close", () => void (seen.active -= 1));
    void answer(setup, { message, response, seen });
  });
  server.on("connection", () => void (seen.accepted += 1));
  const url = await listen(server);
  return {
    options: setup.options(url),
    get active() {
      return seen.active + (setup.active?.() ?? 0);
    },
    get accepted() {
      return seen.accepted;
    },
    get sent() {
      return seen.sent;
    },
    received: seen.received,
    ping() {
      for (const stream of seen.streams) stream.write(": ping\n\n");
      return seen.streams.size;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Exchange {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly seen: Seen;
}

interface Seen {
  active: number;
  accepted: number;
  sent: number;
  readonly received: string[];
  /** The event streams that are under way. */
  readonly streams: Set<ServerResponse>;
}

async function answer(setup: HttpUpstreamSetup, { message, response, seen }: Exchange): Promise<void> {
  const reply = new Reply(message, response, seen);
  response.once("close", () => seen.streams.delete(response));
  try {
    const request = await requestOf(message);
    seen.received.push(`${request.method} ${request.path}\n${headerLines(request.headers)}\n${request.body}`);
    await setup.respond(request, reply);
  } catch {
    reply.reset();
  }
}

async function requestOf(message: IncomingMessage): Promise<HttpRequest> {
  const pieces: Uint8Array[] = [];
  for await (const piece of message) pieces.push(piece as Uint8Array);
  const body = Buffer.concat(pieces).toString("utf8");
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) headers.set(name, String(value));
  return { method: message.method ?? "", path: message.url ?? "", headers, body, json: parsed(body) };
}

function headerLines(headers: Headers): string {
  return [...headers].map(([name, value]) => `${name}: ${value}\n`).join("");
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

class Reply implements HttpReply {
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #seen: Seen;
  readonly #left = new AbortController();
  #room = Promise.withResolvers<void>();

  constructor(message: IncomingMessage, response: ServerResponse, seen: Seen) {
    this.#message = message;
    this.#response = response;
    this.#seen = seen;
    response.once("close", () => {
      this.#left.abort();
      this.#room.resolve();
    });
    response.on("drain", () => {
      this.#room.resolve();
      this.#room = Promise.withResolvers();
    });
  }

  get signal(): AbortSignal {
    return this.#left.signal;
  }

  head(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (this.signal.aborted) return;
    this.#response.writeHead(status, headers);
    this.#response.flushHeaders();
    if (new Headers(headers).get("content-type")?.startsWith("text/event-stream"))
      this.#seen.streams.add(this.#response);
  }

  async write(piece: string | Uint8Array): Promise<void> {
    if (this.signal.aborted) return;
    const room = this.#room.promise;
    this.#seen.sent += Buffer.byteLength(piece);
    if (!this.#response.write(piece)) await room;
  }

  end(piece = ""): void {
    if (this.signal.aborted) return;
    this.#seen.sent += Buffer.byteLength(piece);
    this.#response.end(piece);
  }

  reset(): void {
    this.#message.socket.destroy();
  }
}
