import { describe, expect, test } from "bun:test";
import { testCall } from "../../../test/support/plugin-host.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { LateMarks } from "./late-end-marks.ts";
import { RecentIds } from "./recent-ids.ts";
import { newTally, Router } from "./event-demux.ts";
import type { RouterParts } from "./event-demux.ts";
import { Run } from "../run/run.ts";
import { Sharing } from "../auth/sharing.ts";

interface Desk {
  /** Of another socket of the same user. */
  readonly next: () => Router;
  readonly parts: RouterParts;
  readonly clock: FakeClock;
  readonly router: Router;
  /** A run that was begun, and whose executions aren't known yet. */
  readonly begin: (isExclusive?: boolean) => Run;
}

function openDesk(): Desk {
  const clock = new FakeClock();
  const parts = { clock, sharing: new Sharing(), tally: newTally(), over: new RecentIds(10) };
  const lateMarks = new LateMarks(clock);
  const router = new Router(parts, lateMarks);
  const begin = (isExclusive = false): Run => beginOn(router, isExclusive);
  return { parts, clock, router, begin, next: () => new Router(parts, lateMarks) };
}

function beginOn(router: Router, isExclusive = true): Run {
  const run = new Run(testCall().call, isExclusive);
  run.hasBegun = true;
  router.join(run);
  return run;
}

describe("events with an id", () => {
  test("reach the run that the answer named them for, also those that came before it", () => {
    const { router, begin } = openDesk();
    const one = begin();
    const other = begin();
    router.chunk({ id: "x", content: "early" });
    router.claim(other, ["y"]);
    router.claim(one, ["x"]);
    router.chunk({ id: "y", content: "other" });
    expect(one.take()).toEqual({ id: "x", content: "early" });
    expect(other.take()).toEqual({ id: "y", content: "other" });
  });

  test("that came before their names are all held, however many runs wait", () => {
    const { parts, router, begin } = openDesk();
    const runs = Array.from({ length: 1_000 }, () => begin());
    for (const number of runs.keys())
      router.chunk({ id: `x${number}`, content: "all of it", end: "completed" });
    for (const [number, run] of runs.entries()) router.claim(run, [`x${number}`]);
    for (const run of runs) expect(run.take()?.end).toBe("completed");
    expect(parts.tally.overflowed).toBe(0);
  });

  test("of runs that left are late, of unknown ones stray when nobody expects them", () => {
    const { router, begin, parts } = openDesk();
    const run = begin();
    router.claim(run, ["x"]);
    router.leave(run);
    router.chunk({ id: "x", content: "late" });
    router.chunk({ id: "unknown", content: "stray" });
    expect(parts.tally).toMatchObject({ late: 1, stray: 1 });
  });

  test("are one exclusive run's where the answer names none, but only of one execution", () => {
    const { router, begin, parts } = openDesk();
    const run = begin(true);
    router.claim(run, []);
    router.chunk({ id: "x", content: "a" });
    router.chunk({ id: "y", content: "b" });
    expect(run.take()).toEqual({ id: "x", content: "a" });
    expect(parts.tally.stray).toBe(1);
    router.chunk({ id: "x", end: "completed" });
    expect(parts.sharing.isProven).toBe(false);
  });

  test("prove that credentials can be shared when a run's end has the id that was named", () => {
    const { router, begin, parts } = openDesk();
    const run = begin(true);
    router.claim(run, ["x"]);
    router.chunk({ id: "x", content: "a" });
    expect(parts.sharing.isProven).toBe(false);
    router.chunk({ id: "x", end: "completed" });
    expect(parts.sharing.isProven).toBe(true);
  });
});

describe("events without an id", () => {
  test("reach the only run that can be meant, once it has begun", () => {
    const { router, begin, parts } = openDesk();
    const run = begin(true);
    run.hasBegun = false;
    router.chunk({ content: "whose?" });
    expect(parts.tally.stray).toBe(1);
    run.hasBegun = true;
    router.chunk({ content: "mine" });
    expect(run.take()).toEqual({ content: "mine" });
    expect(router.isNameless).toBe(true);
  });

  test("reach nobody after a run was left, because they may be its own", () => {
    const { router, begin, parts } = openDesk();
    router.leave(begin());
    begin();
    router.chunk({ content: "whose?" });
    expect(router.isSpoilt).toBe(true);
    expect(parts.tally.stray).toBe(1);
  });

  test("that end a run a second time don't end the one beside it", () => {
    const { router, begin, parts } = openDesk();
    const one = begin();
    const other = begin();
    router.claim(one, ["x"]);
    router.claim(other, ["y"]);
    router.chunk({ id: "x", end: "completed" });
    router.finished({ end: "finished" });
    expect(other.hasEnded).toBe(false);
    expect(parts.tally.late).toBe(1);
    // Nothing more is owed: this one is meant for the run that is left.
    router.finished({ end: "finished" });
    expect(other.hasEnded).toBe(true);
  });

  test("that never came for one run are expected for a while only", async () => {
    const { router, begin, clock } = openDesk();
    const one = begin();
    const other = begin();
    router.claim(one, ["x"]);
    router.chunk({ id: "x", end: "completed" });
    await clock.advance(10_001);
    router.finished({ end: "finished" });
    expect(other.hasEnded).toBe(true);
  });

  test("that end a run wait for the text that is held for it", () => {
    const { router, begin } = openDesk();
    const run = begin(true);
    router.chunk({ id: "x", content: "all of it" });
    router.finished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
    router.claim(run, ["x"]);
    expect(run.take()).toEqual({ id: "x", content: "all of it", end: "finished" });
  });
});

describe("an end mark without an id, on the socket of a user's next run", () => {
  test("may come on each socket for the run before, and ends the next one only after that", () => {
    const { router, begin, next } = openDesk();
    begin(true);
    router.chunk({ content: "all", end: "completed" });
    const later = next();
    const run = beginOn(later);
    router.finished({ end: "finished" });
    later.finished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
    later.finished({ end: "finished" });
    expect(run.hasEnded).toBe(true);
  });

  test("may come for a run that failed", () => {
    const { router, begin, next } = openDesk();
    begin(true);
    router.chunk({ failure: "it failed" });
    const later = next();
    const run = beginOn(later);
    later.finished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
  });

  test("is nobody's where a run was left and the service is known to end runs by their last chunk", () => {
    const { router, begin, next } = openDesk();
    const first = begin(true);
    router.chunk({ content: "all", end: "completed" });
    router.finished({ end: "finished" });
    router.leave(first);
    router.leave(begin(true));
    const later = next();
    const run = beginOn(later);
    later.finished({ end: "finished" });
    later.finished({ end: "finished" });
    expect(run.hasEnded).toBe(false);
    later.chunk({ content: "whole", end: "completed" });
    expect(run.take()).toEqual({ content: "whole", end: "completed" });
  });

  test("fails the run where a run was left and it can't be told whose end it is, for a while", async () => {
    const { router, begin, next, clock } = openDesk();
    router.leave(begin(true));
    const later = next();
    const run = beginOn(later);
    later.finished({ end: "finished" });
    expect(() => run.take()).toThrow(expect.objectContaining({ code: "bad-response" }));
    later.leave(run);
    await clock.advance(10_001);
    const last = next();
    const other = beginOn(last);
    last.finished({ end: "finished" });
    expect(other.hasEnded).toBe(true);
  });
});

test("a run beside others that is given no ids fails, and sharing ends", () => {
  const { router, begin, parts } = openDesk();
  parts.sharing.prove();
  const run = begin();
  router.claim(run, []);
  expect(() => run.take()).toThrow(expect.objectContaining({ code: "bad-response" }));
  expect(parts.sharing.isProven).toBe(false);
});

test("of many ids the newest are remembered", () => {
  const ids = new RecentIds(2);
  for (const id of ["a", "b", "c"]) ids.add(id);
  expect(["a", "b", "c"].map((id) => ids.has(id))).toEqual([false, true, true]);
});
