import { getEventListeners } from "node:events";
import type { Bench, Stage } from "../harness/harness.ts";
import { expectText } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { halfway } from "../harness/mid-stream.ts";
import { TestStorage } from "../harness/test-call.ts";
import { scenarioOf } from "../fixtures/scenarios.ts";
import type { ScenarioName } from "../fixtures/scenarios.ts";
import { Broken, inWords, NotApplicable } from "../harness/verdict.ts";
import { comesTrue, pause } from "../harness/timing.ts";
import { NetworkTrap, openDescriptors, RejectionWatch, TimerWatch } from "../harness/probes.ts";

const CYCLES = 8;
const STEADY_LOOKS = 4;
const LOOK_MS = 25;
// Work that `open` has begun in secret shows by then.
const AFTERMATH_MS = 60;

/** Level 4, second half: nothing is left over. */
export const LEAKS: readonly Check[] = [
  { rule: "4.7 reopen", plays: ["text"], run: reopen },
  { rule: "4.8 open-network", plays: ["text"], run: openWithoutNetwork },
  { rule: "4.9 open-writes", plays: ["text"], run: openWithoutWrites },
  { rule: "4.10 timers", plays: ["text"], run: timers },
  { rule: "4.11 descriptors", plays: ["text"], run: descriptors },
  { rule: "4.12 closed", plays: ["text"], run: closed },
  { rule: "4.13 rejections", plays: [], run: rejections },
  { rule: "4.14 listeners", plays: ["text"], run: listeners },
  { rule: "4.15 instances", plays: ["text"], run: instances },
];

async function reopen(bench: Bench): Promise<void> {
  await using played = await bench.play("text");
  const storage = new TestStorage();
  for (const time of ["the first", "the second"]) {
    try {
      await bench.live(played, storage);
    } catch (error) {
      throw new Broken(`opened for ${time} time: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

async function openWithoutNetwork(bench: Bench): Promise<void> {
  await using played = await bench.play("text");
  using trap = new NetworkTrap();
  const opened = await bench.open(played).catch((error: unknown) => {
    throw trap.seen.length > 0 ? new Broken(`open() used the network: ${trap.seen.join(", ")}`) : error;
  });
  await pause(AFTERMATH_MS);
  await opened.host.close();
  if (trap.seen.length > 0) throw new Broken(`open() used the network: ${trap.seen.join(", ")}`);
  const connections = played.accepted ?? 0;
  if (connections > 0 || played.received.length > 0) {
    throw new Broken("open() connected to the upstream; what must be done beforehand belongs in start()");
  }
}

async function openWithoutWrites(bench: Bench): Promise<void> {
  await using played = await bench.play("text");
  const opened = await bench.open(played);
  await pause(AFTERMATH_MS);
  await opened.host.close();
  const { writes } = opened.storage;
  if (writes > 0)
    throw new Broken(`open() wrote ${writes} times to host.storage; what writes belongs in start()`);
}

/** One life with a whole answer and one that is given up. */
async function lifeOf(bench: Bench): Promise<void> {
  await bench.on("text", async ({ ask }) => ask().all());
  if (bench.fixtures.unsupported?.stall !== undefined) return;
  await bench.on("stall", (stage) => givenUp(bench, stage));
}

async function givenUp(bench: Bench, stage: Stage): Promise<void> {
  const asked = await halfway(bench, stage);
  asked.call.abort();
  await asked.leave();
}

async function timers(bench: Bench): Promise<void> {
  using watch = new TimerWatch();
  await lifeOf(bench);
  if (await comesTrue(() => watch.pending.length === 0, bench.patience)) return;
  const places = [...new Set(watch.pending)].join(", ");
  throw new Broken(
    `${watch.pending.length} timers go on after closing; started ${places}. Clear them in host.defer()`,
  );
}

async function descriptors(bench: Bench): Promise<string> {
  // What a process opens once and keeps isn't a leak.
  await lifeOf(bench);
  const before = await steadyDescriptors();
  if (before === undefined) throw new NotApplicable("open files can't be counted on this system");
  for (let cycle = 0; cycle < CYCLES; cycle++) await lifeOf(bench);
  // Others in this process open and close some meanwhile.
  const isBack = (): boolean => (openDescriptors() ?? 0) < before + CYCLES / 2;
  if (await comesTrue(isBack, bench.patience)) return `${openDescriptors()} open, ${before} before`;
  const after = openDescriptors();
  throw new Broken(
    `after ${CYCLES} lives of the upstream ${after} files and sockets are open, before it were ${before}`,
  );
}

/** How many are open once the sockets of what was before have closed. */
async function steadyDescriptors(): Promise<number | undefined> {
  let fewest = openDescriptors();
  for (let look = 0; look < STEADY_LOOKS; look++) {
    await pause(LOOK_MS);
    const now = openDescriptors();
    if (fewest === undefined || now === undefined || now >= fewest) continue;
    [fewest, look] = [now, 0];
  }
  return fewest;
}

async function closed(bench: Bench): Promise<void> {
  await using played = await bench.play("text");
  const opened = await bench.open(played);
  await opened.start();
  expectText(await opened.ask().all(), scenarioOf("text").answer.text);
  await opened.host.close();
  const [fault] = opened.host.faults;
  if (fault !== undefined) throw new Broken(fault);
  const isLeft = (): boolean => (played.connections ?? 0) === 0 && (played.active ?? 0) === 0;
  if (!(await comesTrue(isLeft, bench.patience))) {
    throw new Broken(
      `${played.connections ?? played.active ?? 0} connections of the upstream are still open after closing`,
    );
  }
  const [asked, writes] = [played.received.length, opened.storage.writes];
  await pause(AFTERMATH_MS);
  if (played.received.length > asked) throw new Broken("after closing the upstream is still being asked");
  if (opened.storage.writes > writes)
    throw new Broken("after closing host.storage is still being written to");
}

async function listeners(bench: Bench): Promise<void> {
  await bench.on("text", (stage) => noneLeftBy(async () => void (await stage.ask().all()), bench, stage));
  if (bench.fixtures.unsupported?.stall !== undefined) return;
  await bench.on("stall", (stage) => noneLeftBy(() => givenUp(bench, stage), bench, stage));
}

async function noneLeftBy(request: () => Promise<void>, bench: Bench, { opened }: Stage): Promise<void> {
  const count = (): number => getEventListeners(opened.host.host.signal, "abort").length;
  // What an upstream adds once and keeps isn't a leak.
  await request();
  const before = count();
  for (let cycle = 0; cycle < CYCLES; cycle++) await request();
  if (await comesTrue(() => count() < before + CYCLES, bench.patience)) return;
  throw new Broken(
    `after ${CYCLES} requests \`host.signal\` has ${count()} listeners, before it had ${before}`,
  );
}

const UNHAPPY: readonly ScenarioName[] = [
  "silent",
  "begun",
  "stall",
  "cut",
  "garbage",
  "failing",
  "broken",
  "refused",
];

async function rejections(bench: Bench): Promise<void> {
  using watch = new RejectionWatch();
  for (const name of UNHAPPY.filter((each) => bench.fixtures.unsupported?.[each] === undefined)) {
    await bench.on(name, async ({ ask, played }) => {
      const asked = ask();
      const reading = asked.all().catch(() => undefined);
      await comesTrue(() => asked.isOver || played.active !== 0, bench.patience);
      await pause(AFTERMATH_MS / 4);
      asked.call.abort();
      await reading;
    });
    Bun.gc(true);
    await pause(AFTERMATH_MS / 4);
    const [first] = watch.seen;
    if (watch.seen.length > 0)
      throw new Broken(`in the scenario \`${name}\` nobody took the rejection ${inWords(first)}`);
  }
}

/** One plugin may serve several upstreams: what belongs to one must not stand in a variable of the module. */
async function instances(bench: Bench): Promise<void> {
  await bench.on("text", async ({ ask }) =>
    bench.on("text", async (other) => {
      // The one that was opened first, since what a module keeps is that of the last.
      const before = other.played.received.length;
      expectText(await ask().all(), scenarioOf("text").answer.text);
      if (other.played.received.length > before)
        throw new Broken("of two upstreams of the plugin the one was asked in place of the other");
    }),
  );
}
