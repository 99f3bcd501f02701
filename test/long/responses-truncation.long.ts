import { expect, test } from "bun:test";
import type { Recording } from "../promises/recordings.ts";
import { streams } from "../promises/recordings.ts";
import type { Break, Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { playTo, startFaultUpstream } from "../support/fault-upstream.ts";
import { startForward } from "../support/forward-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { checkResponsesStream } from "../support/responses-stream.ts";

/**
 * An answer that broke off at its upstream is never told as a completed one by the Responses API.
 * @module
 */

const AT_ONCE = 32;

interface Cut {
  readonly recording: Recording;
  readonly at: number;
  readonly how: Break;
}

/** Each request plays the cut that its input names. */
class Stage {
  readonly #gateway: RunningGateway;
  readonly #cuts = new Map<string, Cut>();
  #shown = 0;
  played = 0;

  constructor(gateway: RunningGateway, upstream: FaultUpstream) {
    this.#gateway = gateway;
    upstream.respond = (exchange) => this.#play(exchange);
  }

  /** Returns how the answer ends for its client; `refused` where it is an HTTP error. */
  async show(cut: Cut): Promise<string> {
    const input = `cut ${(this.#shown += 1)}`;
    this.#cuts.set(input, cut);
    const response = await fetch(`${this.#gateway.baseURL}/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#gateway.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "m", input, stream: true }),
    });
    const text = await response.text();
    this.#cuts.delete(input);
    if (response.status !== 200) return "refused";
    try {
      return checkResponsesStream(text).response.status ?? "none";
    } catch (error) {
      return String(error);
    }
  }

  async #play(exchange: Exchange): Promise<void> {
    this.played += 1;
    const { messages } = exchange.json() as { messages: [{ content: string }] };
    const cut = this.#cuts.get(messages[0].content);
    if (!cut) throw new Error(`nobody asked: ${messages[0].content}`);
    const { recording, at, how } = cut;
    exchange.send(recording.wire.subarray(0, at));
    // A reset may take along what its reader hasn't read: a whole answer must have been read.
    if (at >= recording.certain) {
      await exchange.flushed();
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    await playTo(exchange, new Uint8Array(), 0, how);
  }
}

test("a stream that is cut at any byte ends with an error and response.failed, and only then", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  const stage = new Stage(gateway, upstream);
  const cuts = [
    ...everyByte(streams("chunked"), ["reset", "close", "garbage"]),
    ...everyByte(streams("close"), ["close", "garbage"]),
  ];
  const wrong: string[] = [];
  let broken = 0;
  await inParallel(cuts, async (cut) => {
    const { recording, at, how } = cut;
    const outcome = await stage.show(cut);
    if (outcome !== "completed") broken += 1;
    const may = [
      ...(at < recording.certain ? ["failed", "refused"] : []),
      ...(at >= recording.complete ? ["completed"] : []),
    ];
    if (!may.includes(outcome)) wrong.push(`${recording.name}, ${how} after ${at}: ${outcome}`);
  });
  console.log(`${cuts.length} cuts of Responses: ${broken} broke off, ${wrong.length} told wrongly`);
  expect(wrong).toEqual([]);
  expect([stage.played, gateway.gateway.inFlight.running]).toEqual([cuts.length, 0]);
}, 240_000);

function everyByte(recordings: readonly Recording[], breaks: readonly Break[]): Cut[] {
  return recordings.flatMap((recording) =>
    breaks.flatMap((how) => [...recording.wire.keys()].map((at): Cut => ({ recording, at: at + 1, how }))),
  );
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
