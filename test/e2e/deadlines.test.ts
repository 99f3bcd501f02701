import { describe, expect, test } from "bun:test";
import { startFaultUpstream } from "../support/fault-upstream.ts";
import { startForward, tries } from "../support/forward-gateway.ts";
import { fullServer } from "../support/full-server.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { withOwnClient } from "../support/http-client.ts";
import type { Step } from "../support/scripted-gateway.ts";
import { HELLO, say } from "../support/scripted-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { readFrames } from "../support/sse-frames.ts";

/**
 * Each deadline of `timeouts`: what it ends, and error message sent to the client.
 * @module
 */
const HANG: Step = { hang: true };

function ask(gateway: RunningGateway, stream: boolean): Promise<Response> {
  return gateway.chat({ model: "m", stream, messages: [{ role: "user", content: "Well?" }] });
}

async function expectTimeout(response: Response, message: string): Promise<void> {
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ error: { code: "upstream_timeout", message } });
}

async function expectBrokenOff(response: Response, message: string): Promise<void> {
  expect(response.status).toBe(200);
  const { chunks, data } = await readFrames(response);
  expect(chunks.at(-1)).toMatchObject({ error: { code: "upstream_timeout", message } });
  expect(data).not.toContain("[DONE]");
}

/** A plugin that says when its connection stands; it does after the milliseconds of its option. */
const CONNECTING = `
import { definePlugin, Type } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1,
  name: "connecting",
  options: Type.Object({ after: Type.Number() }, { additionalProperties: false }),
  open: ({ after }) => ({
    reportsConnection: true,
    models: async () => [{ id: "m" }],
    async *chat(_, call) {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, after);
        call.signal.addEventListener("abort", () => (clearTimeout(timer), reject(call.signal.reason)));
      });
      call.connected();
      yield { type: "text", text: "connected" };
      yield { type: "finish", reason: "stop" };
    },
  }),
});
`;

function connecting(after: number, connect: string): Promise<RunningGateway> {
  const upstream = { plugin: "./connecting.ts", options: { after }, timeouts: { connect } };
  return startGateway(`upstreams:\n  slow: ${JSON.stringify(upstream)}\n`, {
    files: { "connecting.ts": CONNECTING },
  });
}

describe("connect", () => {
  for (const stream of [true, false]) {
    test(`ends a ${stream ? "streamed" : "plain"} request whose upstream can't be connected to`, async () => {
      await using gateway = await connecting(60_000, "50ms");
      const message = 'the upstream "slow" did not accept a connection within 0.05 s (timeouts.connect)';
      await expectTimeout(await ask(gateway, stream), message);
    });

    test(`is over once the connection stands (${stream ? "streamed" : "plain"})`, async () => {
      await using gateway = await connecting(1, "10s");
      expect(await (await ask(gateway, stream)).text()).toContain("connected");
    });
  }
});

describe("first_event", () => {
  const message = 'the upstream "a" did not begin to answer within 0.05 s (timeouts.first_event)';

  test("ends a stream that doesn't begin, with a status", async () => {
    await using gateway = await startSeveral({
      a: { answers: { m: [HANG] }, timeouts: { first_event: "50ms" } },
    });
    await expectTimeout(await ask(gateway, true), message);
    await gateway.quiet();
    expect(gateway.calls()).toEqual({ a: 1 });
  });

  test("lets the next target answer", async () => {
    await using gateway = await startSeveral(
      { a: { answers: { m: [HANG] }, timeouts: { first_event: "50ms" } }, b: { answers: { m: HELLO } } },
      "routes: [{ model: m, targets: [a, b] }]\n",
    );
    const response = await ask(gateway, true);
    expect(response.headers.get("x-modelyard-upstream")).toBe("b");
    await response.text();
  });

  test("counts anew for each target", async () => {
    const hanging = { answers: { m: [HANG] }, timeouts: { first_event: "100ms" } };
    await using gateway = await startSeveral(
      { a: hanging, b: hanging, c: { answers: { m: HELLO }, timeouts: { first_event: "100ms" } } },
      "routes: [{ model: m, targets: [a, b, c] }]\n",
    );
    const response = await ask(gateway, true);
    expect(response.headers.get("x-modelyard-attempts")).toBe("3");
    await response.text();
  });

  test("doesn't apply to a plain request, which has no first event that anybody waits for", async () => {
    await using upstream = await startFaultUpstream();
    upstream.respond = async (exchange) => {
      await Bun.sleep(120);
      exchange.send(
        Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"),
      );
      exchange.send(JSON.stringify({ choices: [{ message: { content: "late" }, finish_reason: "stop" }] }));
      exchange.close();
    };
    await using gateway = await startForward(upstream.url, "timeouts: { first_event: 50ms, idle: 50ms }");
    expect(await (await ask(gateway, false)).text()).toContain("late");
  });
});

describe("idle", () => {
  test("ends a stream that falls silent, with an error frame", async () => {
    await using gateway = await startSeveral({
      a: { answers: { m: [say("Well"), HANG] }, timeouts: { idle: "50ms" } },
    });
    const message = 'the upstream "a" fell silent for 0.05 s in the middle of its answer (timeouts.idle)';
    await expectBrokenOff(await ask(gateway, true), message);
    await gateway.quiet();
  });

  test("counts the upstream's silence, and not the time that a slow reader takes", async () => {
    await using upstream = await startFaultUpstream();
    const text = "x".repeat(100_000);
    const frame = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}\n\n`;
    const end = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
    upstream.respond = (exchange) => {
      exchange.head(200, { "content-type": "text/event-stream" });
      for (let i = 0; i < 100; i++) exchange.chunk(frame);
      exchange.chunk(end);
      exchange.end();
    };
    await using gateway = await startForward(upstream.url, "timeouts: { idle: 100ms }");
    const response = await ask(gateway, true);
    // 10 MB don't fit into the sockets: the gateway must wait for its reader.
    await Bun.sleep(400);
    const { data } = await readFrames(response);
    expect(data).toHaveLength(102);
    expect(data.at(-1)).toBe("[DONE]");
  });
});

describe("total", () => {
  test("ends a plain request", async () => {
    await using gateway = await startSeveral({
      a: { answers: { m: [HANG] }, timeouts: { total: "50ms" } },
    });
    const message = 'the upstream "a" did not finish its answer within 0.05 s (timeouts.total)';
    await expectTimeout(await ask(gateway, false), message);
    await gateway.quiet();
  });

  test("ends a stream that goes on and on", async () => {
    await using upstream = await startFaultUpstream();
    upstream.respond = async (exchange) => {
      let open = true;
      void exchange.closed.then(() => (open = false));
      exchange.head(200, { "content-type": "text/event-stream" });
      while (open) {
        exchange.chunk('data: {"choices":[{"index":0,"delta":{"content":"and on "}}]}\n\n');
        await Bun.sleep(10);
      }
    };
    await using gateway = await startForward(upstream.url, "timeouts: { idle: 100ms, total: 300ms }");
    const message = 'the upstream "forward" did not finish its answer within 0.3 s (timeouts.total)';
    await expectBrokenOff(await ask(gateway, true), message);
    await upstream.requests[0]?.closed;
  });
});

describe("a server over HTTP whose queue of connections is full", () => {
  test.each([true, false])("is waited for no longer than timeouts.connect (streamed: %p)", async (stream) => {
    await using full = await fullServer();
    const upstream = {
      plugin: "openai",
      options: { base_url: `${full.url}/v1`, models: ["m"] },
      timeouts: { connect: "200ms", first_event: "20s", total: "20s" },
    };
    await using gateway = await startGateway(
      `${tries(1)}upstreams: { full: ${JSON.stringify(upstream)} }\n`,
      {
        outbound: withOwnClient("connect"),
      },
    );
    await expectTimeout(
      await ask(gateway, stream),
      "the upstream did not accept a connection in time (timeouts.connect)",
    );
  });
});
