import { expect, test } from "bun:test";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { openaiChunks, startFaultUpstream } from "../support/fault-upstream.ts";
import { forwardTo, startForward } from "../support/forward-gateway.ts";
import type { GatewayOptions, RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import type { Client } from "./clients.ts";
import { connecting, fetching } from "./clients.ts";
import { expectPromptEnds } from "./departures.ts";
import { pourUntilStalled } from "./pour.ts";

/**
 * Nobody listens, nobody works: when a client leaves, the connection to its upstream is closed, in whatever
 * phase the request is.
 * @module
 */
const TIMES = 50;
const EVENT_STREAM = { "content-type": "text/event-stream" };
const [ROLE = "", FIRST = ""] = openaiChunks("Hello");
const streamed = { model: "m", stream: true, messages: [{ role: "user", content: "go on for ever" }] };
const plain = { ...streamed, stream: false };

test("while the upstream has said nothing at all", async () => {
  await leaveWhen("before the upstream's headers", () => undefined, {});
});

test("while an event stream has begun without an event", async () => {
  const respond = (exchange: Exchange) => exchange.head(200, EVENT_STREAM);
  await leaveWhen("before the first event", respond, {});
});

test("after headers went out early", async () => {
  const respond = (exchange: Exchange) => exchange.head(200, EVENT_STREAM);
  await leaveWhen("after early headers", respond, { hasHeaders: true, limits: { earlyHeaders: 5 } });
});

test("in the middle of a stream", async () => {
  const respond = (exchange: Exchange) => {
    exchange.head(200, EVENT_STREAM);
    exchange.chunk(ROLE + FIRST);
  };
  await leaveWhen("in mid-stream", respond, { hasHeaders: true });
});

test("on a plain call, before the upstream's headers", async () => {
  await leaveWhen("plain, before the upstream's headers", () => undefined, { body: plain });
});

test("on a plain call, in the middle of the upstream's answer", async () => {
  const respond = (exchange: Exchange) => {
    exchange.head(200, { "content-type": "application/json" });
    exchange.chunk(`{"choices":[{"index":0,"message":{"role":"assistant","content":"Hel`);
  };
  await leaveWhen("plain, in mid-answer", respond, { body: plain });
});

test("while the stream stands still because the client doesn't read", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  const [, chunk = ""] = openaiChunks("x".repeat(64 * 1024), { units: 64 * 1024 });
  await expectPromptEnds({
    phase: "stalled by its own not reading",
    times: 40,
    quiet: () => quiet(gateway, upstream),
    async scene() {
      const asked = Promise.withResolvers<Exchange>();
      upstream.respond = asked.resolve;
      const client = connecting(gateway, streamed, { reads: false });
      const exchange = await asked.promise;
      exchange.head(200, EVENT_STREAM);
      await pourUntilStalled(exchange, chunk);
      return { client, ended: exchange.closed };
    },
  });
}, 60_000);

test("in the middle of its own request", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  for (let nth = 0; nth < TIMES; nth++) {
    const leaving = new AbortController();
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(`{"model":`)) });
    const answer = gateway.chat({}, { body, signal: leaving.signal });
    await until(() => gateway.gateway.bodies.used > 0, "the gateway to have read the beginning of the body");
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await quiet(gateway, upstream);
  }
  expect(upstream.requests).toHaveLength(0);
});

test("in a pause before another try", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startGateway(
    `retry: { attempts: 2, backoff: 200ms, budget: 100% }
health: { failures: 1000000 }
upstreams:
${forwardTo("forward", upstream.url)}`,
  );
  upstream.respond = (exchange) => exchange.reset();
  // Somebody who stays sees what would come.
  await gateway.chat(streamed);
  expect(upstream.requests).toHaveLength(2);
  const clients = Array.from({ length: TIMES }, () => fetching(gateway, streamed));
  await until(() => upstream.requests.length === 2 + TIMES, "all first tries");
  for (const client of clients) client.leave();
  await quiet(gateway, upstream);
  await Bun.sleep(500);
  expect(upstream.requests).toHaveLength(2 + TIMES);
});

interface Phase extends GatewayOptions {
  readonly body?: object;
  /** Whether the client has the answer's headers when it leaves. */
  readonly hasHeaders?: boolean;
}

/** Half of the clients abort a fetch, the other half destroys its socket. */
async function leaveWhen(
  phase: string,
  respond: (exchange: Exchange) => void,
  options: Phase,
): Promise<void> {
  const { body = streamed, hasHeaders = false, ...gatewayOptions } = options;
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url, "", gatewayOptions);
  await expectPromptEnds({
    phase,
    times: TIMES,
    quiet: () => quiet(gateway, upstream),
    async scene(nth) {
      const asked = Promise.withResolvers<Exchange>();
      upstream.respond = (exchange) => {
        respond(exchange);
        asked.resolve(exchange);
      };
      const client: Client = nth % 2 === 0 ? fetching(gateway, body) : connecting(gateway, body);
      const exchange = await asked.promise;
      if (hasHeaders) await client.headers;
      return { client, ended: exchange.closed };
    },
  });
}

/** Nothing is left of any request: no call, no body, no connection to the upstream. */
function quiet({ gateway }: RunningGateway, upstream: FaultUpstream): Promise<void> {
  return until(
    () => gateway.inFlight.running === 0 && gateway.bodies.used === 0 && upstream.connections === 0,
    "the end of all calls, bodies and connections",
  );
}
