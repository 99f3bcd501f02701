/**
 * An upstream in a process of its own: answers streamed requests with 5 MB as fast as they are taken, all others with a
 * short answer. Prints its address.
 * @module
 */
import type { Exchange } from "../support/fault-upstream.ts";
import { jsonAnswer, openaiChunks, openaiCompletion, startFaultUpstream } from "../support/fault-upstream.ts";

const ANSWER_BYTES = 5_000_000;
const CHUNK = (openaiChunks("word ".repeat(8), { units: 40 })[1] ?? "").repeat(400);

async function pour(exchange: Exchange): Promise<void> {
  let open = true;
  void exchange.closed.then(() => (open = false));
  exchange.head(200, { "content-type": "text/event-stream" });
  for (let sent = 0; open && sent < ANSWER_BYTES; sent += CHUNK.length) {
    exchange.chunk(CHUNK);
    await exchange.flushed();
  }
}

const upstream = await startFaultUpstream();
upstream.respond = (exchange) =>
  (exchange.json() as { stream?: boolean }).stream
    ? pour(exchange)
    : exchange.send(jsonAnswer(openaiCompletion("Hello there!")));
process.stdout.write(`${upstream.url}\n`);
