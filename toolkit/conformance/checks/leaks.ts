import { getEventListeners } from "node:events";
import type { Harness, Play } from "../harness/harness.ts";
import { expectText } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { readToMiddle } from "../harness/mid-stream.ts";
import { TestStorage } from "../harness/test-call.ts";
import { scenarioOf } from "../upstreams/scenarios.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError, NotApplicable } from "../harness/verdict.ts";
import { becomesTrue, pause } from "../harness/timing.ts";
import { NetworkTrap, countOpenDescriptors, RejectionProbe, TimerProbe } from "../harness/probes.ts";

const CYCLES = 8;
const STEADY_LOOKS = 4;
const LOOK_MS = 25;
// Time for work that `open` started in the background to show.
const AFTERMATH_MS = 60;

/** Level 4, second half: closing releases everything. */
export const LEAKS: readonly Check[] = [
  { rule: "4.7 reopen", scenarios: ["text"], run: reopen },
  { rule: "4.8 open-network", scenarios: ["text"], run: openWithoutNetwork },
  { rule: "4.9 open-writes", scenarios: ["text"], run: openWithoutWrites },
  { rule: "4.10 timers", scenarios: ["text"], run: timers },
  { rule: "4.11 descriptors", scenarios: ["text"], run: descriptors },
  { rule: "4.12 closed", scenarios: ["text"], run: closed },
  { rule: "4.13 rejections", scenarios: [], run: rejections },
  { rule: "4.14 listeners", scenarios: ["text"], run: listeners },
  { rule: "4.15 instances", scenarios: ["text"], run: instances },
];

async function reopen(harness: Harness): Promise<void> {
  await using played = await harness.startUpstream("text");
  const storage = new TestStorage();
  for (const time of ["the first", "the second"]) {
    try {
      await harness.openAndAnswer(played, storage);
    } catch (error) {
      throw new RuleViolation(
        `opened for ${time} time: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

async function openWithoutNetwork(harness: Harness): Promise<void> {
  await using played = await harness.startUpstream("text");
  using trap = new NetworkTrap();
  const opened = await harness.open(played).catch((error: unknown) => {
    throw trap.seen.length > 0
      ? new RuleViolation(`open() used the network: ${trap.seen.join(", ")}`)
      : error;
  });
  await pause(AFTERMATH_MS);
  await opened.host.close();
  if (trap.seen.length > 0) throw new RuleViolation(`open() used the network: ${trap.seen.join(", ")}`);
  const connections = played.accepted ?? 0;
  if (connections > 0 || played.received.length > 0) {
    throw new RuleViolation("open() connected to the upstream; move that to start()");
  }
}

async function openWithoutWrites(harness: Harness): Promise<void> {
  await using played = await harness.startUpstream("text");
  const opened = await harness.open(played);
  await pause(AFTERMATH_MS);
  await opened.host.close();
  const { writes } = opened.storage;
  if (writes > 0)
    throw new RuleViolation(`open() wrote ${writes} times to host.storage; move that to start()`);
}

/** Opens and closes the plugin around a complete answer, and around a cancelled one. */
async function runLifecycle(harness: Harness): Promise<void> {
  await harness.play("text", async ({ ask }) => ask().readAll());
  if (harness.fixtures.unsupported?.stall !== undefined) return;
  await harness.play("stall", (play) => givenUp(harness, play));
}

async function givenUp(harness: Harness, play: Play): Promise<void> {
  const request = await readToMiddle(harness, play);
  request.call.abort();
  await request.cancel();
}

async function timers(harness: Harness): Promise<void> {
  using watch = new TimerProbe();
  await runLifecycle(harness);
  if (await becomesTrue(() => watch.pending.length === 0, harness.patience)) return;
  const places = [...new Set(watch.pending)].join(", ");
  throw new RuleViolation(
    `${watch.pending.length} timers are pending after closing; started ${places}. Clear them in host.defer()`,
  );
}

async function descriptors(harness: Harness): Promise<string> {
  // The first run may open what the process keeps.
  await runLifecycle(harness);
  const before = await steadyDescriptors();
  if (before === undefined) throw new NotApplicable("open files can't be counted on this system");
  for (let cycle = 0; cycle < CYCLES; cycle++) await runLifecycle(harness);
  // Other code in this process may open some meanwhile.
  const isBack = (): boolean => (countOpenDescriptors() ?? 0) < before + CYCLES / 2;
  if (await becomesTrue(isBack, harness.patience)) return `${countOpenDescriptors()} open, ${before} before`;
  const after = countOpenDescriptors();
  throw new RuleViolation(
    `after ${CYCLES} times opening and closing, ${after} files and sockets are open; there were ${before} before`,
  );
}

/** Returns the number of open descriptors after those of earlier runs have closed. */
async function steadyDescriptors(): Promise<number | undefined> {
  let fewest = countOpenDescriptors();
  for (let look = 0; look < STEADY_LOOKS; look++) {
    await pause(LOOK_MS);
    const now = countOpenDescriptors();
    if (fewest === undefined || now === undefined || now >= fewest) continue;
    [fewest, look] = [now, 0];
  }
  return fewest;
}

async function closed(harness: Harness): Promise<void> {
  await using played = await harness.startUpstream("text");
  const opened = await harness.open(played);
  await opened.start();
  expectText(await opened.ask().readAll(), scenarioOf("text").answer.text);
  await opened.host.close();
  const [fault] = opened.host.faults;
  if (fault !== undefined) throw new RuleViolation(fault);
  const isLeft = (): boolean => (played.connections ?? 0) === 0 && (played.active ?? 0) === 0;
  if (!(await becomesTrue(isLeft, harness.patience))) {
    throw new RuleViolation(
      `${played.connections ?? played.active ?? 0} connections of the upstream are still open after closing`,
    );
  }
  const [request, writes] = [played.received.length, opened.storage.writes];
  await pause(AFTERMATH_MS);
  if (played.received.length > request)
    throw new RuleViolation("after closing the upstream still receives requests");
  if (opened.storage.writes > writes)
    throw new RuleViolation("after closing the plugin still writes to host.storage");
}

async function listeners(harness: Harness): Promise<void> {
  await harness.play("text", (play) =>
    expectNoListeners(async () => void (await play.ask().readAll()), harness, play),
  );
  if (harness.fixtures.unsupported?.stall !== undefined) return;
  await harness.play("stall", (play) => expectNoListeners(() => givenUp(harness, play), harness, play));
}

async function expectNoListeners(
  request: () => Promise<void>,
  harness: Harness,
  { opened }: Play,
): Promise<void> {
  const count = (): number => getEventListeners(opened.host.host.signal, "abort").length;
  // The first request may add a listener that the upstream keeps.
  await request();
  const before = count();
  for (let cycle = 0; cycle < CYCLES; cycle++) await request();
  if (await becomesTrue(() => count() < before + CYCLES, harness.patience)) return;
  throw new RuleViolation(
    `after ${CYCLES} requests \`host.signal\` has ${count()} listeners; there were ${before} before`,
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

async function rejections(harness: Harness): Promise<void> {
  using watch = new RejectionProbe();
  for (const name of UNHAPPY.filter((each) => harness.fixtures.unsupported?.[each] === undefined)) {
    await harness.play(name, async ({ ask, played }) => {
      const request = ask();
      const reading = request.readAll().catch(() => undefined);
      await becomesTrue(() => request.isDone || played.active !== 0, harness.patience);
      await pause(AFTERMATH_MS / 4);
      request.call.abort();
      await reading;
    });
    Bun.gc(true);
    await pause(AFTERMATH_MS / 4);
    const [first] = watch.seen;
    if (watch.seen.length > 0)
      throw new RuleViolation(
        `in the scenario \`${name}\` a rejection was unhandled: ${describeError(first)}`,
      );
  }
}

/** Opens two upstreams of one plugin: state in module variables mixes them up. */
async function instances(harness: Harness): Promise<void> {
  await harness.play("text", async ({ ask }) =>
    harness.play("text", async (other) => {
      // Asks the first one, since module variables hold the state of the last.
      const before = other.played.received.length;
      expectText(await ask().readAll(), scenarioOf("text").answer.text);
      if (other.played.received.length > before)
        throw new RuleViolation("a request went to the other one of two upstreams of the plugin");
    }),
  );
}
