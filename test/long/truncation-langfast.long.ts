import { expect, test } from "bun:test";
import type { Emulator, RunFault, RunScript } from "../support/langfast-emulator/index.ts";
import { everyUnits } from "../support/langfast-emulator/index.ts";
import { startLangfast } from "../support/langfast-gateway.ts";
import { until } from "../support/until.ts";
import { ask, flawIn } from "../promises/verdict.ts";

/**
 * The same promise for an upstream that speaks Socket.IO: a run that broke off is never sold as a whole one.
 * @module
 */
interface Cut {
  readonly end: NonNullable<RunScript["end"]>;
  readonly how: RunFault["how"];
  /** After how many events. */
  readonly after: number;
  /** Whether the answer was complete by then. */
  readonly isWhole: boolean;
}

const WAYS: readonly RunFault["how"][] = ["drop", "disconnect", "failed", "error-member", "silence"];

const QUESTION = { model: "gpt-4o-mini", prompt: "Zoë sagt 👋🏽 und geht", stream: true };
const pieces = everyUnits(4);

test("a run that breaks after any of its events fails for the official client, unless it had ended", async () => {
  await using langfast = await startLangfast({ timeouts: "{ first_event: 1s, idle: 150ms }" });
  const { emulator, gateway } = langfast;
  const ends = ["status", "finished", "both"] as const;
  const events = { status: 0, finished: 0, both: 0 };
  for (const end of ends) {
    emulator.script = { end, pieces };
    await ask(gateway, QUESTION);
    events[end] = emulator.runs.at(-1)?.framesSent ?? 0;
  }
  expect(events).toEqual({ status: 6, finished: 7, both: 7 });
  const cuts = ends.flatMap((end) => cutsOf(end, events[end]));
  const laundered: Cut[] = [];
  const lost: Cut[] = [];
  const flawed: string[] = [];
  for (const cut of cuts) {
    const seen = Promise.withResolvers<void>();
    emulator.script = { end: cut.end, pieces, ...breakAt(emulator, cut, seen.promise) };
    const verdict = await ask(gateway, { ...QUESTION, finished: seen.resolve });
    if (cut.how === "drop" || cut.how === "disconnect") {
      // The next run must not begin on a socket of which only one side knows that it is gone.
      emulator.dropSockets();
      await until(
        () => langfast.status().sockets.open === 0,
        "the upstream to notice that its socket is gone",
      );
    }
    const flaw = flawIn(verdict, true);
    if (flaw) flawed.push(`${JSON.stringify(cut)}: ${flaw}`);
    if (!cut.isWhole && !verdict.error) laundered.push(cut);
    if (cut.isWhole && verdict.error) lost.push(cut);
  }
  console.log(`${cuts.length} cuts of runs: ${laundered.length} laundered, ${lost.length} lost`);
  expect({ laundered, lost, flawed }).toEqual({ laundered: [], lost: [], flawed: [] });
  expect(gateway.gateway.inFlight.running).toBe(0);
  expect(emulator.violations).toEqual([]);
}, 60_000);

/** Each place of a run by each way of breaking; of two end marks the first completes the answer. */
function cutsOf(end: Cut["end"], events: number): Cut[] {
  const complete = end === "both" ? events - 1 : events;
  return WAYS.flatMap((how) =>
    Array.from({ length: events + 1 }, (_, after) => ({ end, how, after, isWhole: after >= complete })),
  );
}

/** A lost socket takes along what its reader hasn't read: a whole answer must have been read before it is cut. */
function breakAt(emulator: Emulator, { how, after, isWhole }: Cut, seen: Promise<void>): Partial<RunScript> {
  if (!isWhole || (how !== "drop" && how !== "disconnect")) return { fault: { how, after } };
  const cut = () => (how === "drop" ? emulator.dropSockets() : emulator.disconnectSockets());
  return { before: (event) => (event < after ? undefined : seen.then(cut)) };
}
