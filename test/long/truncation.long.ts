import { expect, test } from "bun:test";
import type { Break, Exchange } from "../support/fault-upstream.ts";
import { playTo, startFaultUpstream } from "../support/fault-upstream.ts";
import { startForward } from "../support/forward-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import type { Recording } from "../promises/recordings.ts";
import { completion, streams } from "../promises/recordings.ts";
import { ask, flawIn } from "../promises/verdict.ts";

/**
 * An answer that broke off is never sold as a whole one, wherever it breaks and however.
 * @module
 */
interface Cut {
  readonly recording: Recording;
  readonly at: number;
  readonly how: Break;
}

const AT_ONCE = 32;

test("a streamed answer that is cut at any byte fails for the official client, and only then", async () => {
  const cuts = [
    ...everyByte(streams("chunked"), ["reset", "close", "garbage"]),
    ...everyByte(streams("close"), ["close", "garbage"]),
  ];
  await expectHonest(cuts, { stream: true, timeouts: "{}" });
}, 120_000);

test("a streamed answer that falls silent at any place fails for the official client, and only then", async () => {
  const cuts = streams("chunked").flatMap((recording) =>
    [...eventEnds(recording), ...sample(recording, 40)].map((at): Cut => ({ recording, at, how: "stall" })),
  );
  await expectHonest(cuts, { stream: true, timeouts: "{ first_event: 150ms, idle: 150ms }" });
}, 60_000);

test("a plain answer that is cut at any byte is an HTTP error, and never a 200", async () => {
  const cuts = [
    ...everyByte([completion("length")], ["reset", "close", "garbage"]),
    ...everyByte([completion("close")], ["close", "garbage"]),
    ...sample(completion("length"), 40).map((at): Cut => ({
      recording: completion("length"),
      at,
      how: "stall",
    })),
  ];
  await expectHonest(cuts, { stream: false, timeouts: "{ total: 2s }" });
}, 60_000);

interface Way {
  readonly stream: boolean;
  /** The upstream's `timeouts`. */
  readonly timeouts: string;
}

/** Plays each cut to a client, and counts what was sold as whole though it was cut, or lost though it was whole. */
async function expectHonest(cuts: readonly Cut[], { stream, timeouts }: Way): Promise<void> {
  const began = performance.now();
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url, `timeouts: ${timeouts}`);
  const stage = new Stage(gateway, stream);
  upstream.respond = (exchange) => stage.play(exchange);
  const laundered: string[] = [];
  const lost: string[] = [];
  const flawed: string[] = [];
  await inParallel(cuts, async (cut) => {
    const verdict = await stage.show(cut);
    const flaw = flawIn(verdict, stream);
    if (flaw) flawed.push(`${nameOf(cut)}: ${flaw}`);
    if (cut.at < cut.recording.complete && !verdict.error) laundered.push(nameOf(cut));
    if (isWhole(cut) && verdict.error) lost.push(`${nameOf(cut)}: ${verdict.raw.slice(-300)}`);
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const what = stream ? "streamed" : "plain";
  console.log(
    `${cuts.length} cuts of ${what} answers in ${seconds} s: ${laundered.length} laundered, ${lost.length} lost`,
  );
  expect({ laundered, lost, flawed }).toEqual({ laundered: [], lost: [], flawed: [] });
  expect(stage.played).toBe(cuts.length);
  expect(gateway.gateway.inFlight.running).toBe(0);
}

/** The fault upstream's side of many requests at once: each plays the cut that its prompt names. */
class Stage {
  readonly #gateway: RunningGateway;
  readonly #stream: boolean;
  readonly #cuts = new Map<string, Cut>();
  #shown = 0;
  /** How many requests came: one for each cut, because what has begun is never silently begun again. */
  played = 0;

  constructor(gateway: RunningGateway, stream: boolean) {
    this.#gateway = gateway;
    this.#stream = stream;
  }

  async show(cut: Cut) {
    const prompt = `cut ${(this.#shown += 1)}`;
    this.#cuts.set(prompt, cut);
    try {
      return await ask(this.#gateway, { prompt, stream: this.#stream });
    } finally {
      this.#cuts.delete(prompt);
    }
  }

  async play(exchange: Exchange): Promise<void> {
    this.played += 1;
    const { messages } = exchange.json() as { messages: [{ content: string }] };
    const cut = this.#cuts.get(messages[0].content);
    if (!cut) throw new Error(`nobody asked: ${messages[0].content}`);
    const bytes = cut.recording.wire.subarray(0, cut.at);
    exchange.send(bytes);
    // A broken connection may take along what its reader hasn't read: the whole answer must have been read.
    if (this.#stream && isWhole(cut)) await this.#read(exchange);
    await playTo(exchange, new Uint8Array(), 0, cut.how);
  }

  /** Resolves when the gateway, in this process, has read all that the kernel has taken: a turn later at most. */
  async #read(exchange: Exchange): Promise<void> {
    await exchange.flushed();
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Garbage right behind a plain answer is part of it where the connection's end tells the answer's. */
function isWhole({ recording, at, how }: Cut): boolean {
  return at >= recording.certain && (how !== "garbage" || at < recording.wire.length);
}

function nameOf({ recording, at, how }: Cut): string {
  return `${recording.name}, ${how} after ${at} of ${recording.wire.length} bytes`;
}

function everyByte(recordings: readonly Recording[], breaks: readonly Break[]): Cut[] {
  return recordings.flatMap((recording) =>
    breaks.flatMap((how) => [...recording.wire.keys()].map((at): Cut => ({ recording, at: at + 1, how }))),
  );
}

/** The places just after each line end, and so after each event. */
function eventEnds({ wire }: Recording): number[] {
  return [...wire.keys()].filter((at) => wire[at] === 0x0a).map((at) => at + 1);
}

function sample({ wire }: Recording, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.ceil(((index + 1) * wire.length) / count));
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await work(item);
    }),
  );
}
