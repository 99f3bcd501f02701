import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Authority } from "../support/certificates.ts";
import { startGateway } from "../support/gateway.ts";
import type { WireUpstreams } from "../support/wire-upstreams.ts";
import { answer, WIRE_FORMATS, NAMED_WAYS, startWireUpstreams } from "../support/wire-upstreams.ts";

/**
 * HTTP at its edges, as servers and what stands before them speak it.
 * @module
 */
const authority = new Authority();
afterAll(() => authority[Symbol.dispose]());

/** The body of a good plain answer. */
function bodyFor(request: string): string {
  return answer(request).split(/\r\n\r\n(.*)/s)[1] ?? "";
}

describe.each(["http", "https"] as const)("over %s", (scheme) => {
  test.each([
    ["a part of a status line", "HTTP/1.1 2"],
    ["a part of a head", "HTTP/1.1 200 OK\r\ncontent-type: app"],
  ])("a connection that was used before and falls silent after %s breaks off", async (_, wire) => {
    const yaml = "retry: { attempts: 1 }\n";
    const timeouts = "{ connect: 100ms, first_event: 150ms, total: 20s }";
    await using up = await startWireUpstreams({ scheme, client: "own" }, { authority, yaml, timeouts });
    up.server.respond = (request, socket) =>
      void socket.write(socket.data.requests === 1 ? answer(request) : wire);
    expect(await up.ask("openai", false)).toBe("answered");
    expect(await up.ask("openai", false)).toMatch(/^503 .*closed the connection without an answer/);
    // A byte of an answer had come: the server may be at work for it.
    expect(up.server.requests.length).toBe(2);
  });

  test("interim answers over one tell that the server is at work", async () => {
    const timeouts = "{ connect: 100ms, first_event: 150ms, total: 20s }";
    await using up = await startWireUpstreams({ scheme, client: "own" }, { authority, timeouts });
    up.server.respond = (request, socket) => {
      if (socket.data.requests === 1) return void socket.write(answer(request));
      socket.write("HTTP/1.1 102 Processing\r\n\r\n");
      void Bun.sleep(400).then(() => socket.write(answer(request)));
    };
    expect(await up.ask("openai", false)).toBe("answered");
    expect(await up.ask("openai", false)).toBe("answered");
    expect(up.server.requests.length).toBe(2);
  });
});

describe.each(NAMED_WAYS)("over %s", (_, way) => {
  let up: WireUpstreams;
  beforeAll(async () => {
    const yaml = "health: { failures: 1000 }\nretry: { attempts: 1 }\n";
    up = await startWireUpstreams(way, { authority, yaml, timeouts: "{ total: 3s }" });
  });
  afterAll(() => up[Symbol.asyncDispose]());

  /** What a client is told of an answer that ends its connection. */
  async function toldOf(wire: string | ((request: string) => string), stream = false): Promise<string[]> {
    const told: string[] = [];
    up.server.respond = (request, socket) => void socket.end(typeof wire === "string" ? wire : wire(request));
    for (const { plugin } of WIRE_FORMATS) told.push(await up.ask(plugin, stream));
    return told;
  }

  test("another protocol, for which nobody has asked, is no answer", async () => {
    const before = up.server.requests.length;
    const wire = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    up.server.respond = (_request, socket) => void socket.write(wire);
    for (const { plugin } of WIRE_FORMATS)
      expect(await up.ask(plugin, false)).toMatch(/^502 .*upstream_bad_response/);
    expect(up.server.requests.length - before).toBe(3);
  });

  test("the same length twice is one", async () => {
    const told = await toldOf((request) => {
      const [head, body] = answer(request).split(/\r\n\r\n(.*)/s);
      return `${head}\r\nContent-Length: ${body?.length}\r\n\r\n${body}`;
    });
    expect(told).toEqual(["answered", "answered", "answered"]);
  });

  test("a redirect is told without its address, and isn't followed", async () => {
    for (const location of ["/v2/there?key=secret", "https://other.test/x"]) {
      const before = up.server.requests.length;
      const told = await toldOf(`HTTP/1.1 307 Moved\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
      for (const said of told) {
        expect(said).toMatch(/^502 .*redirects to another address \(status 307\).*upstream_bad_response/);
      }
      expect(up.server.requests.length - before).toBe(3);
    }
  });

  test.each(["304 Not Modified", "307 Moved"])("a %s without an address leads nowhere", async (status) => {
    for (const said of await toldOf(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`)) {
      expect(said).toContain(`the upstream answered with status ${status.slice(0, 3)} and no message`);
    }
  });

  test("a server that hangs up without a byte was reached", async () => {
    for (const said of await toldOf("")) {
      expect(said).toMatch(/^503 .*closed the connection without an answer/);
      expect(said).not.toContain("can't be reached");
    }
  });

  const UNENDED: Readonly<Record<string, (request: string) => string>> = {
    "last chunk": (request) => {
      const body = bodyFor(request);
      return `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n`;
    },
    "promised length": (request) => {
      const body = bodyFor(request);
      return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length + 10}\r\n\r\n${body}`;
    },
  };

  test.each(Object.entries(UNENDED))(
    "a plain answer that is whole is taken without its %s",
    async (__, wire) => {
      // Bun's `fetch` gives nothing of what came together with the break: then it is told as one.
      const isTold = way.client === "own" ? /^answered$/ : /^answered$|upstream_truncated/;
      for (const said of await toldOf(wire)) expect(said).toMatch(isTold);
    },
  );

  test("a plain answer that is cut is cut, with a length or without", async () => {
    for (const length of [true, false])
      for (const said of await toldOf((request) => {
        const body = bodyFor(request);
        const half = body.slice(0, body.lastIndexOf("Hello") + 3);
        return `HTTP/1.1 200 OK\r\n${length ? `content-length: ${body.length}\r\n` : ""}\r\n${half}`;
      })) {
        expect(said).toMatch(/^502 .*broke off.*upstream_truncated/);
      }
  });
});

test("a server that isn't there can't be reached", async () => {
  const nobody = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const options = { base_url: `http://127.0.0.1:${nobody.port}/v1`, models: ["m"] };
  nobody.stop(true);
  await using gateway = await startGateway(
    `retry: { attempts: 1 }\nupstreams: { up: { plugin: openai, options: ${JSON.stringify(options)} } }\n`,
  );
  const response = await gateway.chat({ model: "up/m", messages: [{ role: "user", content: "Well?" }] });
  expect(`${response.status} ${await response.text()}`).toMatch(
    /^503 .*the upstream ."up." can't be reached/,
  );
});
