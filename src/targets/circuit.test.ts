import { expect, test } from "bun:test";
import fc from "fast-check";
import type { UpstreamErrorCode } from "../contract/index.ts";
import type { CircuitEntry, Outcome } from "./circuit.ts";
import { Circuit } from "./circuit.ts";

const settings = { window: 30_000, failures: 5, cooldown: 30_000 };

function failing(code: UpstreamErrorCode, retryAfterMs?: number): Outcome {
  return { code, retryAfterMs };
}

let bodies = 0;
/** A request that comes for the first time, with a body of its own. */
const FIRST: CircuitEntry = { isRepeat: false, isLastResort: false, body: () => bodies++ };

/** A circuit and a time that only goes when told. */
function drive(circuit = new Circuit(settings)) {
  let now = 1_000_000;
  return {
    circuit,
    pass: (ms: number) => (now += ms),
    call: (outcome: Outcome, entry: Partial<CircuitEntry> = {}) => {
      const pass = circuit.enter(now, { ...FIRST, ...entry });
      pass?.ended(outcome, now);
      return pass !== undefined;
    },
    enter: (entry: Partial<CircuitEntry> = {}) => circuit.enter(now, { ...FIRST, ...entry }),
    now: () => now,
    state: () => circuit.state(now),
    wait: () => circuit.wait(now),
  };
}

test("failures open it, and after the cooldown one probe decides", () => {
  const it = drive();
  for (let i = 0; i < 5; i++) expect(it.call(failing("failed"))).toBe(true);
  expect([it.state(), it.call("ok"), it.wait()]).toEqual(["open", false, 30_000]);
  it.pass(30_000);
  expect(it.state()).toBe("half_open");
  const probe = it.enter();
  expect([probe !== undefined, it.call("ok")]).toEqual([true, false]);
  probe?.ended("ok", it.now());
  expect([it.state(), it.call("ok")]).toEqual(["closed", true]);
});

test("a probe closes it when its answer begins, and what fails then counts like any other", () => {
  const it = drive();
  for (let i = 0; i < 5; i++) it.call(failing("failed"));
  it.pass(30_000);
  const probe = it.enter();
  probe?.answered();
  expect([it.state(), it.call("ok")]).toEqual(["closed", true]);
  probe?.ended(failing("truncated"), it.now());
  expect(it.state()).toBe("closed");
  for (let i = 0; i < 4; i++) it.call(failing("failed"));
  expect(it.state()).toBe("open");
});

test("an answer that began before it opened doesn't close it by going on", () => {
  const it = drive();
  const slow = it.enter();
  for (let i = 0; i < 5; i++) it.call(failing("failed"));
  it.pass(30_000);
  slow?.answered();
  expect([it.enter() !== undefined, it.enter()]).toEqual([true, undefined]);
});

test("a failing probe opens it again, an abandoned one leaves the place to the next", () => {
  const it = drive();
  for (let i = 0; i < 5; i++) it.call(failing("timeout"));
  it.pass(30_000);
  expect(it.call("abandoned")).toBe(true);
  expect(it.call(failing("unavailable"))).toBe(true);
  expect(it.state()).toBe("open");
});

test("a few failures among many good answers don't open it; old failures are forgotten", () => {
  const it = drive();
  for (let i = 0; i < 50; i++) it.call(i % 5 === 0 ? failing("failed") : "ok");
  expect(it.state()).toBe("closed");
  it.pass(40_000);
  for (let i = 0; i < 4; i++) it.call(failing("failed"));
  it.pass(40_000);
  expect(it.call(failing("failed"))).toBe(true);
  expect(it.state()).toBe("closed");
});

test("a 429 with a retry-after pauses it until then and counts as no failure", () => {
  const it = drive();
  it.call(failing("rate-limited", 7_000));
  expect([it.wait(), it.circuit.cause]).toEqual([7_000, "rate-limited"]);
  it.pass(7_000);
  for (let i = 0; i < 20; i++) expect(it.call(failing("rate-limited"))).toBe(true);
  expect(it.state()).toBe("closed");
});

test("a longer pause isn't shortened by a shorter one", () => {
  const it = drive();
  const second = it.enter();
  it.call(failing("rate-limited", 60_000));
  second?.ended(failing("rate-limited", 1_000), it.now());
  expect(it.wait()).toBe(60_000);
});

test("refused credentials open it only when nothing succeeds beside them", () => {
  const it = drive();
  for (let i = 0; i < 20; i++) it.call(i % 3 === 2 ? "ok" : failing("rejected"));
  expect(it.state()).toBe("closed");
  for (let i = 0; i < 5; i++) it.call(failing("rejected"));
  expect(it.state()).toBe("open");
});

test("what is the client's own fault is a sign of life", () => {
  const it = drive();
  for (let i = 0; i < 20; i++) it.call(failing("bad-request"));
  expect(it.state()).toBe("closed");
  for (let i = 0; i < 15; i++) it.call(failing("failed"));
  it.pass(30_000);
  it.call(failing("context-length"));
  expect(it.state()).toBe("closed");
});

test("requests count, and not their tries", () => {
  const it = drive();
  for (let i = 0; i < 4; i++) {
    it.call(failing("failed"));
    for (let tries = 0; tries < 5; tries++) it.call(failing("failed"), { isRepeat: true });
  }
  expect(it.state()).toBe("closed");
  it.call(failing("failed"));
  expect(it.state()).toBe("open");
});

test("beside successes one body counts once, however often it fails", () => {
  const it = drive();
  for (let i = 0; i < 20; i++) {
    it.call(failing("failed"), { body: () => "odd" });
    it.call("ok");
  }
  expect(it.state()).toBe("closed");
  for (let i = 0; i < 5; i++) it.call(failing("failed"), { body: () => "odd" });
  // Twenty good answers within the window: five failures in a row are less than half.
  expect(it.state()).toBe("closed");
  it.pass(40_000);
  for (let i = 0; i < 5; i++) it.call(failing("failed"), { body: () => "odd" });
  expect(it.state()).toBe("open");
});

test("what a body may be the cause of counts once per body, even alone", () => {
  const it = drive();
  for (let i = 0; i < 20; i++) it.call(failing("bad-response"), { body: () => "odd" });
  expect(it.state()).toBe("closed");
  it.pass(40_000);
  for (let i = 0; i < 5; i++) it.call(failing("bad-response"));
  expect(it.state()).toBe("open");
});

test("what the model makes of a request is a sign of life", () => {
  const it = drive();
  for (let i = 0; i < 20; i++) it.call(failing("model-failed"));
  expect(it.state()).toBe("closed");
});

test("the last resort passes an open circuit one at a time, and closes it by an answer", () => {
  const it = drive();
  for (let i = 0; i < 5; i++) it.call(failing("unavailable"));
  const probe = it.enter({ isLastResort: true });
  expect([probe !== undefined, it.enter({ isLastResort: true }), it.enter()]).toEqual([
    true,
    undefined,
    undefined,
  ]);
  probe?.answered();
  expect([it.state(), it.enter() !== undefined]).toEqual(["closed", true]);
});

test("and a pause a few at a time, and leaves it as it is", () => {
  const it = drive();
  it.call(failing("rate-limited", 20_000));
  const passed = Array.from({ length: 5 }, () => it.enter({ isLastResort: true }));
  expect(passed.filter((pass) => pass !== undefined)).toHaveLength(3);
  passed[0]?.ended("ok", it.now());
  passed[1]?.ended(failing("rate-limited", 30_000), it.now());
  expect([it.enter(), it.wait()]).toEqual([undefined, 30_000]);
  expect(it.enter({ isLastResort: true })).toBeDefined();
});

test("an answer to a request from before it opened doesn't close it", () => {
  const it = drive();
  const slow = it.enter();
  for (let i = 0; i < 5; i++) it.call(failing("failed"));
  slow?.ended("ok", it.now());
  it.pass(29_999);
  expect(it.state()).toBe("open");
});

test("whatever happens, an open circuit lets nobody pass, a half-open one a single probe, and it always recovers", () => {
  const outcome = fc.oneof(
    fc.constantFrom<Outcome>("ok", "abandoned"),
    fc.record({
      code: fc.constantFrom<UpstreamErrorCode>(
        "failed",
        "rejected",
        "rate-limited",
        "bad-request",
        "timeout",
      ),
      retryAfterMs: fc.option(fc.nat(100_000), { nil: undefined }),
    }),
  );
  const step = fc.oneof(
    fc.record({ enter: fc.constant(true) }),
    fc.record({ end: fc.nat(20), outcome }),
    fc.record({ pass: fc.nat(20_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const it = drive();
      const running: NonNullable<ReturnType<typeof it.enter>>[] = [];
      for (const each of steps) {
        const before = it.state();
        if ("enter" in each) {
          const pass = it.enter();
          if (before === "open") expect(pass).toBeUndefined();
          if (pass && before === "half_open") expect(it.enter()).toBeUndefined();
          if (pass) running.push(pass);
        } else if ("pass" in each) it.pass(each.pass);
        else if (running.length > 0)
          running.splice(each.end % running.length, 1)[0]?.ended(each.outcome, it.now());
      }
      for (const pass of running) pass.ended("abandoned", it.now());
      it.pass(10 * 60_000);
      expect(it.call("ok")).toBe(true);
      expect(it.state()).toBe("closed");
    }),
    { numRuns: 500 },
  );
});
