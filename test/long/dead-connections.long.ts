import { afterAll, describe, expect, test } from "bun:test";
import { Authority } from "../support/certificates.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import type { Respond } from "../support/wire-server.ts";
import { whole } from "../support/wire-server.ts";
import type { Way } from "../support/wire-upstreams.ts";
import { answer, WIRE_FORMATS, NAMED_WAYS, startWireUpstreams } from "../support/wire-upstreams.ts";

/**
 * Connections that were used before and are dead: silent, or closed in the moment in which they are used. A request
 * over one is sent once more over a new one, and the other idle ones to that server aren't used any more.
 * @module
 */
const authority = new Authority();
afterAll(() => authority[Symbol.dispose]());

/** A server that answers once per connection. What it does with further requests over it is told by `then`. */
function onceEach(then: Respond): Respond {
  return (request, socket) => {
    if (socket.data.requests === 1) socket.write(answer(request));
    else then(request, socket);
  };
}

const TIMEOUTS = "{ connect: 300ms, first_event: 500ms }";

describe.each(NAMED_WAYS)("over %s", (_, way) => {
  test("what is sent over a dead one is sent once more, by each plugin, plain and streamed", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: TIMEOUTS });
    const { server } = up;
    for (const dialect of WIRE_FORMATS)
      for (const stream of [true, false])
        for (const death of DEATHS) {
          server.respond = (request, socket) => void socket.write(answer(request));
          expect(await up.ask(dialect.plugin, stream)).toBe("answered");
          server.respond = onceEach(death);
          const before = server.requests.length;
          expect(await up.ask(dialect.plugin, stream)).toBe("answered");
          expect(server.requests.length - before).toBe(2);
        }
  }, 30_000);
});

/** A streamed answer of /v1/completions. */
const LEGACY = whole(
  `data: ${JSON.stringify({ id: "c", object: "text_completion", choices: [{ index: 0, text: "Hello", finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`,
  "content-type: text/event-stream\r\n",
);

describe.each(NAMED_WAYS)("over %s", (_, way) => {
  // As with each plugin that calls `fetch` itself, or by a wrapper of its own, with the signal of its call.
  test("what is sent with a signal only is sent once more, too", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: TIMEOUTS });
    const ask = async () => {
      const body = JSON.stringify({ model: "openai/m", prompt: "Hi", stream: true });
      const response = await fetch(`${up.gateway.baseURL}/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${up.gateway.key}` },
        body,
      });
      return `${response.status} ${await response.text()}`;
    };
    up.server.respond = (_request, socket) => {
      if (socket.data.requests === 1) socket.write(LEGACY);
    };
    for (let n = 0; n < 3; n++) expect(await ask()).toMatch(/^200 [^]*Hello[^]*\[DONE\]/u);
    // Bun's `fetch` may have closed a connection by itself.
    expect(up.server.requests.length).toBeGreaterThan(3);
  });
});

/** It is silent, or closed in the moment in which it is used. */
const DEATHS: readonly Respond[] = [() => undefined, (_, socket) => socket.terminate()];

describe.each(["http", "https"] as const)("over %s", (scheme) => {
  const way: Way = { scheme, client: "own" };

  test("when several went dead at once, one silence is enough", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: TIMEOUTS });
    const held = Promise.withResolvers<void>();
    let waiting = 0;
    up.server.respond = onceEach(() => undefined);
    const respond = up.server.respond;
    // Four connections at once, so that each request has one of its own.
    up.server.respond = (request, socket) => {
      if (++waiting === 4) held.resolve();
      void held.promise.then(() => respond(request, socket));
    };
    expect(await Promise.all([1, 2, 3, 4].map(() => up.ask("openai", true)))).toEqual(
      Array(4).fill("answered"),
    );
    expect(up.server.accepted).toBe(4);
    up.server.respond = respond;
    for (let n = 0; n < 3; n++) {
      const before = up.server.requests.length;
      expect(await up.ask("openai", true)).toBe("answered");
      // Each connection answers once, so that each request meets a dead one; of those that were dead before it is the last.
      expect(up.server.requests.length - before).toBe(2);
      await until(() => up.server.open === 1, "the others to be closed");
    }
  });

  test("a new connection that is silent is the server's silence", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: TIMEOUTS });
    up.server.respond = () => undefined;
    expect(await up.ask("openai", true)).toStartWith("504 ");
    expect(up.server.requests.length).toBe(1);
  });

  test("a second silence, on the new connection, is the server's", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: TIMEOUTS });
    up.server.respond = (request, socket) => {
      if (up.server.requests.length === 1) socket.write(answer(request));
    };
    expect(await up.ask("openai", true)).toBe("answered");
    expect(await up.ask("openai", true)).toMatch(/^504 .*first_event/);
    expect(up.server.requests.length).toBe(3);
  });

  test("an answer that has begun is never asked for again", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: TIMEOUTS });
    up.server.respond = onceEach((_request, socket) => socket.end("HTTP/1.1 200 OK\r\n"));
    expect(await up.ask("openai", true)).toBe("answered");
    expect(await up.ask("openai", true)).toMatch(/^503 .*closed the connection without an answer/);
    expect(up.server.requests.length).toBe(2);
  });

  test("a client that leaves while one is silent isn't asked for again", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: "{ first_event: 30s }" });
    up.server.respond = onceEach(() => undefined);
    expect(await up.ask("openai", true)).toBe("answered");
    const leaving = new AbortController();
    const asked = up.ask("openai", true, leaving.signal).catch(() => "left");
    await until(() => up.server.requests.length === 2, "the request to arrive");
    const closed = up.server.closed;
    leaving.abort();
    expect(await asked).toBe("left");
    await until(() => up.server.closed > closed, "its connection to be closed");
    expect(up.server.requests.length).toBe(2);
  });

  test("idle ones are closed after seconds", async () => {
    await using up = await startWireUpstreams(way, { authority, timeouts: TIMEOUTS });
    up.server.respond = (request, socket) => void socket.write(answer(request));
    expect(await up.ask("openai", true)).toBe("answered");
    await until(() => up.server.open === 0, "it to be closed", 12_000);
  }, 15_000);

  test("the time for a connection counts, with the TLS handshake", async () => {
    using mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const options = { base_url: `${scheme}://127.0.0.1:${mute.port}/v1`, models: ["m"] };
    const timeouts = "{ connect: 300ms, first_event: 1s }";
    await using gateway = await startGateway(
      `retry: { attempts: 1 }\nupstreams:\n  up: { plugin: openai, options: ${JSON.stringify(options)}, timeouts: ${timeouts} }\n`,
    );
    const response = await gateway.chat({
      model: "up/m",
      messages: [{ role: "user", content: "Well?" }],
      stream: true,
    });
    const said = await response.text();
    expect(response.status).toBe(504);
    expect(said).toContain(scheme === "https" ? "timeouts.connect" : "timeouts.first_event");
  });
});
