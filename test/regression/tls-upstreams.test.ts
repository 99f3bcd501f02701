import { afterAll, describe, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import type { Socket } from "bun";
import { UpstreamError } from "../../src/contract/index.ts";
import { get } from "../../src/kit/http/post.ts";
import { upstreamFetch } from "../../src/host/upstream-fetch.ts";
import { Authority } from "../support/certificates.ts";
import { GatewayFolder, startMain } from "../support/gateway-process.ts";
import { startGateway } from "../support/gateway.ts";
import { ask, CONFIGURED, KEYS, SERVER } from "../support/process-settings.ts";
import { rejection } from "../support/rejection.ts";
import { until } from "../support/until.ts";
import type { Peer } from "../support/wire-server.ts";
import { whole, WireServer } from "../support/wire-server.ts";
import { answer, NAMED_WAYS, startWireUpstreams } from "../support/wire-upstreams.ts";

/**
 * Upstreams over HTTPS: whose certificate is trusted, and that TLS takes nothing from what holds over TCP.
 * @module
 */
const authority = new Authority();
const stranger = new Authority();
afterAll(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});

const CERTIFICATES = {
  good: authority.issue(),
  "another host's": authority.issue({ names: "DNS:example.org,IP:127.0.0.2" }),
  "a host's with the name in front": authority.issue({ names: "DNS:localhost.example.org" }),
  expired: authority.issue({ days: -1 }),
  "self-signed": authority.selfSigned(),
  "an unknown authority's": stranger.issue(),
};

/** What the log is told of a server that can't be reached. */
async function reasonOf(url: string, client: "own" | "fetch"): Promise<string> {
  const outbound = upstreamFetch({ ownClient: client === "own", authorities: authority.certificate });
  const by = outbound({ connect: 5_000, first_event: 5_000 });
  const asked = get({ fetch: by, url }, new AbortController().signal);
  const { message, detail } = await rejection(asked, UpstreamError);
  return `${message}; ${detail}`;
}

describe.each(["own", "fetch"] as const)("sent by %s", (client) => {
  test.each(Object.keys(CERTIFICATES) as (keyof typeof CERTIFICATES)[])(
    "a certificate that is %s",
    async (which) => {
      const server = new WireServer(CERTIFICATES[which]);
      server.respond = (request, socket) => void socket.write(answer(request));
      for (const host of ["localhost", "127.0.0.1"]) {
        const options = {
          base_url: `https://${host}:${server.port}/v1`,
          api_key: "sk-up-0123456789",
          models: ["m"],
        };
        await using gateway = await startGateway(
          `retry: { attempts: 1 }\nupstreams: { up: { plugin: openai, options: ${JSON.stringify(options)} } }\n`,
          { outbound: { ownClient: client === "own", authorities: authority.certificate } },
        );
        const response = await gateway.chat({
          model: "up/m",
          messages: [{ role: "user", content: "Well?" }],
        });
        const said = await response.text();
        if (which === "good")
          expect([response.status, said]).toEqual([200, expect.stringContaining("Hello")]);
        else {
          expect(response.status).toBe(503);
          expect(said).toContain("can't be reached");
          expect(await reasonOf(options.base_url, client)).toMatch(
            /^the upstream has a certificate that can't be trusted; .*: (CERT|ERR_TLS_CERT|DEPTH_ZERO|UNABLE_TO)_/,
          );
        }
      }
      // No byte of a request, and so no key, was sent to a server that isn't who it should be.
      expect(server.requests.length).toBe(which === "good" ? 2 : 0);
      server.stop();
    },
  );

  test("a server that speaks no TLS", async () => {
    const refusal = "HTTP/1.1 400 Bad Request\r\n\r\n";
    using plain = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end(refusal) },
    });
    const options = { base_url: `https://127.0.0.1:${plain.port}/v1`, models: ["m"] };
    await using gateway = await startGateway(
      `retry: { attempts: 1 }\nupstreams: { up: { plugin: openai, options: ${JSON.stringify(options)} } }\n`,
      { outbound: { ownClient: client === "own" } },
    );
    const response = await gateway.chat({ model: "up/m", messages: [{ role: "user", content: "Well?" }] });
    expect(response.status).toBe(503);
    expect(await response.text()).toContain("can't be reached");
    expect(await reasonOf(options.base_url, client)).toBe(
      `the upstream can't be talked to over TLS; 127.0.0.1:${plain.port}: EPROTO`,
    );
  });
});

test("a server is told the name it is asked for, and HTTP/1.1, but no address", async () => {
  const said: unknown[] = [];
  const server = createServer({ ...CERTIFICATES.good, ALPNProtocols: ["h2", "http/1.1"] }, (socket) => {
    // Of @types/node only the client's side has it.
    said.push((socket as { servername?: string | false }).servername, socket.alpnProtocol);
    socket.end(whole("{}", "connection: close\r\n"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const outbound = upstreamFetch({ ownClient: true, authorities: authority.certificate });
  for (const host of ["localhost", "127.0.0.1"]) {
    const asked = outbound({ connect: 5_000, first_event: 5_000 })(`https://${host}:${port}/`, {
      redirect: "manual",
    });
    expect(await (await asked).text()).toBe("{}");
  }
  expect(said).toEqual(["localhost", "http/1.1", false, "http/1.1"]);
  server.close();
});

test.each([{}, { MODELYARD_HTTP_CLIENT: "fetch" }])(
  "NODE_EXTRA_CA_CERTS names authorities to trust (%p)",
  async (environment) => {
    const server = new WireServer(CERTIFICATES.good);
    server.respond = (request, socket) => void socket.write(answer(request));
    const options = { base_url: `${server.origin}/v1`, models: ["m"] };
    using folder = new GatewayFolder(
      `${SERVER}${KEYS}upstreams: { up: { plugin: openai, options: ${JSON.stringify(options)} } }\n`,
    );
    for (const [trusted, status] of [
      [authority, 200],
      [stranger, 503],
    ] as const) {
      await using main = startMain(folder, {
        ...CONFIGURED,
        ...environment,
        NODE_EXTRA_CA_CERTS: trusted.file,
      });
      expect((await ask(await main.listening(), "up/m", { stream: false })).status).toBe(status);
    }
    server.stop();
  },
);

test("a client that isn't there is a mistake", async () => {
  using folder = new GatewayFolder(`${SERVER}${KEYS}upstreams: { demo: { plugin: echo } }\n`);
  await using main = startMain(folder, { ...CONFIGURED, MODELYARD_HTTP_CLIENT: "curl" });
  const { code, stderr } = await main.ended();
  expect([code, stderr]).toEqual([1, "MODELYARD_HTTP_CLIENT is own or fetch, and not curl\n"]);
});

const EVENT = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "x".repeat(16_000) } }] })}\n\n`;

describe.each(NAMED_WAYS)("over %s", (_, way) => {
  test("a client that leaves has the connection ended at once, before and in the answer", async () => {
    await using up = await startWireUpstreams(way, { authority });
    for (const wire of ["", `HTTP/1.1 200 OK\r\ncontent-length: 90000000\r\n\r\n${EVENT}`]) {
      const arrived = Promise.withResolvers<void>();
      up.server.respond = (_request, socket) => {
        socket.write(wire);
        arrived.resolve();
      };
      const leaving = new AbortController();
      const body = { model: "openai/m", stream: true, messages: [{ role: "user", content: "Well?" }] };
      const asked = up.gateway.chat(body, { signal: leaving.signal });
      asked.catch(() => undefined);
      await arrived.promise;
      if (wire !== "") await (await asked).body?.getReader().read();
      const closed = up.server.closed;
      const left = performance.now();
      leaving.abort();
      await until(() => up.server.closed > closed, "the connection to be closed");
      // The promise is 50 ms; the machine of a test may be busy.
      expect(performance.now() - left).toBeLessThan(500);
    }
  });

  test("a client that doesn't read stops its upstream", async () => {
    await using up = await startWireUpstreams(way, { authority });
    let sent = 0;
    let isHeld = false;
    up.server.respond = (_request, socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 900000000\r\n\r\n");
      const chunk = Buffer.from(EVENT.repeat(16));
      const write = (to: Socket<Peer>): void => {
        if (sent > ENDLESS) return;
        const written = to.write(chunk);
        sent += Math.max(written, 0);
        if (written < chunk.length) isHeld = true;
        else setImmediate(write, to);
      };
      write(socket);
    };
    const body = { model: "openai/m", stream: true, messages: [{ role: "user", content: "Well?" }] };
    const leaving = new AbortController();
    const response = await up.gateway.chat(body, { signal: leaving.signal });
    expect(response.status).toBe(200);
    await until(() => isHeld, "the upstream to be held up");
    // What the kernel and the gateway hold, and no more.
    expect(sent).toBeLessThan(ENDLESS);
    leaving.abort();
  });
});

const ENDLESS = 100_000_000;
