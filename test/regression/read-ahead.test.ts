import { expect, test } from "bun:test";
import { connecting } from "../promises/clients.ts";
import { pourUntilStalled } from "../promises/pour.ts";
import { boundSendBuffers } from "../../src/runtime/socket-buffers.ts";
import type { Exchange } from "../support/fault-upstream.ts";
import { openaiChunks, startFaultUpstream } from "../support/fault-upstream.ts";
import { startForward } from "../support/forward-gateway.ts";
import { withOwnClient } from "../support/http-client.ts";

const KIB = 1024;
/**
 * The buffers of both connections (128 KiB on each side, but for the client's), what
 * waits in the gateway, and what it reads at a time.
 */
const MOST = 2_048 * KIB;

test("an answer is read ahead by little for a client that reads nothing", async () => {
  await using upstream = await startFaultUpstream();
  // Or else 4 MB would fit into the upstream's own.
  boundSendBuffers(upstream.port);
  await using gateway = await startForward(upstream.url, "", { outbound: withOwnClient("readAhead") });
  const chunk = openaiChunks("x".repeat(1_000), { units: 1_000 })[1]?.repeat(16) ?? "";
  for (let nth = 0; nth < 3; nth++) {
    const asked = Promise.withResolvers<Exchange>();
    upstream.respond = asked.resolve;
    const messages = [{ role: "user", content: "I don't listen" }];
    const idler = connecting(gateway, { model: "m", stream: true, messages }, { reads: false });
    const exchange = await asked.promise;
    exchange.head(200, { "content-type": "text/event-stream" });
    await pourUntilStalled(exchange, chunk);
    expect(exchange.bytesWritten).toBeLessThan(MOST);
    idler.leave();
    await exchange.closed;
  }
}, 30_000);
