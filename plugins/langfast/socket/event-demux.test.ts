import { describe, expect, test } from "bun:test";
import { testCall } from "../../../test/support/plugin-host.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { LateEndMarks } from "./late-end-marks.ts";
import { RecentIds } from "./recent-ids.ts";
import { newDropCounters, EventDemux } from "./event-demux.ts";
import type { EventDemuxDeps } from "./event-demux.ts";
import { Run } from "../run/run.ts";
import { CredentialSharing } from "../auth/sharing.ts";

interface DemuxUnderTest {
  /** Of another socket of the same user. */
  readonly next: () => EventDemux;
  readonly deps: EventDemuxDeps;
  readonly clock: FakeClock;
  readonly demux: EventDemux;
  /** A run that was begun, and whose executions aren't known yet. */
  readonly start: (isExclusive?: boolean) => Run;
}

function openDemux(): DemuxUnderTest {
  const clock = new FakeClock();
  const deps = {
    clock,
    sharing: new CredentialSharing(),
    drops: newDropCounters(),
    endedIds: new RecentIds(10),
  };
  const lateEndMarks = new LateEndMarks(clock);
  const demux = new EventDemux(deps, lateEndMarks);
  const start = (isExclusive = false): Run => startOn(demux, isExclusive);
  return { deps, clock, demux, start, next: () => new EventDemux(deps, lateEndMarks) };
}

function startOn(demux: EventDemux, isExclusive = true): Run {
  const run = new Run(testCall().call, isExclusive);
  run.hasStarted = true;
  demux.attach(run);
  return run;
}

describe("events with an id", () => {
  test("reach the run that the answer named them for, also those that came before it", () => {
    const { demux, start } = openDemux();
    const one = start();
    const other = start();
    demux.onChunk({ id: "x", content: "early" });
    demux.assign(other, ["y"]);
    demux.assign(one, ["x"]);
    demux.onChunk({ id: "y", content: "other" });
    expect(one.take()).toEqual({ id: "x", content: "early" });
    expect(other.take()).toEqual({ id: "y", content: "other" });
  });

  test("that came before their names are all held, however many runs wait", () => {
    const { deps, demux, start } = openDemux();
    const runs = Array.from({ length: 1_000 }, () => start());
    for (const number of runs.keys())
      demux.onChunk({ id: `x${number}`, content: "all of it", end: "completed" });
    for (const [number, run] of runs.entries()) demux.assign(run, [`x${number}`]);
    for (const run of runs) expect(run.take()?.end).toBe("completed");
    expect(deps.drops.overflowed).toBe(0);
  });

  test("of runs that left are late, of unknown ones stray when nobody expects them", () => {
    const { demux, start, deps } = openDemux();
    const run = start();
    demux.assign(run, ["x"]);
    demux.detach(run);
    demux.onChunk({ id: "x", content: "late" });
    demux.onChunk({ id: "unknown", content: "stray" });
    expect(deps.drops).toMatchObject({ late: 1, stray: 1 });
  });

  test("are one exclusive run's where the answer names none, but only of one execution", () => {
    const { demux, start, deps } = openDemux();
    const run = start(true);
    demux.assign(run, []);
    demux.onChunk({ id: "x", content: "a" });
    demux.onChunk({ id: "y", content: "b" });
    expect(run.take()).toEqual({ id: "x", content: "a" });
    expect(deps.drops.stray).toBe(1);
    demux.onChunk({ id: "x", end: "completed" });
    expect(deps.sharing.isEnabled).toBe(false);
  });

  test("prove that credentials can be shared when a run's end has the id that was named", () => {
    const { demux, start, deps } = openDemux();
    const run = start(true);
    demux.assign(run, ["x"]);
    demux.onChunk({ id: "x", content: "a" });
    expect(deps.sharing.isEnabled).toBe(false);
    demux.onChunk({ id: "x", end: "completed" });
    expect(deps.sharing.isEnabled).toBe(true);
  });
});

describe("events without an id", () => {
  test("reach the only run that can be meant, once it has begun", () => {
    const { demux, start, deps } = openDemux();
    const run = start(true);
    run.hasStarted = false;
    demux.onChunk({ content: "whose?" });
    expect(deps.drops.stray).toBe(1);
    run.hasStarted = true;
    demux.onChunk({ content: "mine" });
    expect(run.take()).toEqual({ content: "mine" });
    expect(demux.lacksIds).toBe(true);
  });

  test("reach nobody after a run was left, because they may be its own", () => {
    const { demux, start, deps } = openDemux();
    demux.detach(start());
    start();
    demux.onChunk({ content: "whose?" });
    expect(demux.isTainted).toBe(true);
    expect(deps.drops.stray).toBe(1);
  });

  test.each([
    ["a chunk", { content: "whose?" }],
    ["an end", { end: "finished" }],
  ] as const)(
    "fail the next run if one was left before it was known whether events have ids: %s",
    (_, event) => {
      const { demux, start, next, deps } = openDemux();
      demux.detach(start(true));
      const later = next();
      const run = startOn(later);
      if ("end" in event) later.onFinished(event);
      else later.onChunk(event);
      expect(() => run.take()).toThrow(expect.objectContaining({ code: "bad-response" }));
      expect(deps.sharing.lacksIds).toBe(true);
    },
  );

  test("are not adopted by a run without an id while they may be an abandoned one's", () => {
    const { demux, start, next } = openDemux();
    demux.detach(start(true));
    const later = next();
    const run = startOn(later);
    later.assign(run, []);
    later.onChunk({ id: "x", content: "whose?" });
    expect(() => run.take()).toThrow(expect.objectContaining({ code: "bad-response" }));
  });

  test("that end a run a second time don't end the one beside it", () => {
    const { demux, start, deps } = openDemux();
    const one = start();
    const other = start();
    demux.assign(one, ["x"]);
    demux.assign(other, ["y"]);
    demux.onChunk({ id: "x", end: "completed" });
    demux.onFinished({ end: "finished" });
    expect(other.hasEnded).toBe(false);
    expect(deps.drops.late).toBe(1);
    // Nothing more is owed: this one is meant for the run that is left.
    demux.onFinished({ end: "finished" });
    expect(other.hasEnded).toBe(true);
  });

  test("that never came for one run are expected for a while only", async () => {
    const { demux, start, clock } = openDemux();
    const one = start();
    const other = start();
    demux.assign(one, ["x"]);
    demux.onChunk({ id: "x", end: "completed" });
    await clock.advance(10_001);
    demux.onFinished({ end: "finished" });
    expect(other.hasEnded).toBe(true);
  });

  test("that end a run wait for the text that is held for it", () => {
    const { demux, start } = openDemux();
    const run = start(true);
    demux.onChunk({ id: "x", content: "all of it" });
    demux.onFinished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
    demux.assign(run, ["x"]);
    expect(run.take()).toEqual({ id: "x", content: "all of it", end: "finished" });
  });
});

describe("an end mark without an id, on the socket of a user's next run", () => {
  test("may come on each socket for the run before, and ends the next one only after that", () => {
    const { demux, start, next } = openDemux();
    start(true);
    demux.onChunk({ content: "all", end: "completed" });
    const later = next();
    const run = startOn(later);
    demux.onFinished({ end: "finished" });
    later.onFinished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
    later.onFinished({ end: "finished" });
    expect(run.hasEnded).toBe(true);
  });

  test("may come for a run that failed", () => {
    const { demux, start, next } = openDemux();
    start(true);
    demux.onChunk({ failure: "it failed" });
    const later = next();
    const run = startOn(later);
    later.onFinished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
  });

  test("is nobody's where a run was left and the service is known to end runs by their last chunk", () => {
    const { demux, start, next } = openDemux();
    const first = start(true);
    demux.onChunk({ content: "all", end: "completed" });
    demux.onFinished({ end: "finished" });
    demux.detach(first);
    demux.detach(start(true));
    const later = next();
    const run = startOn(later);
    later.onFinished({ end: "finished" });
    later.onFinished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
    later.onChunk({ content: "whole", end: "completed" });
    expect(run.take()).toEqual({ content: "whole", end: "completed" });
  });

  test("fails the run where a run was left and it can't be told whose end it is, for a while", async () => {
    const { demux, start, next, clock } = openDemux();
    demux.detach(start(true));
    const later = next();
    const run = startOn(later);
    later.onFinished({ end: "finished" });
    expect(() => run.take()).toThrow(expect.objectContaining({ code: "bad-response" }));
    later.detach(run);
    await clock.advance(10_001);
    const last = next();
    const other = startOn(last);
    last.onFinished({ end: "finished" });
    expect(other.hasEnded).toBe(true);
  });
});

test("a run beside others that is given no ids fails, and sharing ends", () => {
  const { demux, start, deps } = openDemux();
  deps.sharing.enable();
  const run = start();
  demux.assign(run, []);
  expect(() => run.take()).toThrow(expect.objectContaining({ code: "bad-response" }));
  expect(deps.sharing.isEnabled).toBe(false);
});

test("of many ids the newest are remembered", () => {
  const ids = new RecentIds(2);
  for (const id of ["a", "b", "c"]) ids.add(id);
  expect(["a", "b", "c"].map((id) => ids.has(id))).toEqual([false, true, true]);
});
