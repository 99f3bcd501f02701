import { expect, test } from "bun:test";
import fc from "fast-check";
import { SlidingSum } from "./sliding-sum.ts";

const LENGTH = 40_960;
/** Within this the entries of a long log are put together. */
const GRAIN = LENGTH / 4_096;

test("a short log tells every entry apart", () => {
  const log = new SlidingSum(LENGTH);
  for (let at = 0; at < 4_096; at++) log.add(1, at);
  expect(log.total(LENGTH - 1)).toBe(4_096);
  expect(log.total(LENGTH)).toBe(4_095);
  expect(log.waitFor(4_000, LENGTH)).toBe(95);
});

test("a long log is never short of what a window holds, and never long by more than its grain", () => {
  const steps = fc.array(fc.record({ pause: fc.nat(4), amount: fc.nat(9) }), {
    minLength: 9_000,
    maxLength: 9_000,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const log = new SlidingSum(LENGTH);
      const times: number[] = [];
      const sums = [0];
      let now = 0;
      let [oldest, nearlyOldest] = [0, 0];
      for (const { pause, amount } of all) {
        now += pause;
        log.add(amount, now);
        times.push(now);
        sums.push((sums.at(-1) ?? 0) + amount);
        while ((times[oldest] ?? 0) + LENGTH <= now) oldest += 1;
        while ((times[nearlyOldest] ?? 0) + LENGTH + GRAIN <= now) nearlyOldest += 1;
        const total = log.total(now);
        const whole = sums.at(-1) ?? 0;
        expect(total).toBeGreaterThanOrEqual(whole - (sums[oldest] ?? 0));
        expect(total).toBeLessThanOrEqual(whole - (sums[nearlyOldest] ?? 0));
      }
    }),
    { numRuns: 20 },
  );
});

test("what many have taken together can still be changed for each", () => {
  const log = new SlidingSum(LENGTH);
  for (let at = 0; at < 4_096; at++) log.add(0, 0);
  const [first, second] = [log.add(10, 0), log.add(20, 0)];
  expect(first).toBe(second);
  log.change(first, -10);
  log.change(second, 5);
  expect(log.total(0)).toBe(25);
  expect(log.total(LENGTH)).toBe(0);
  log.change(first, 7);
  expect(log.total(LENGTH)).toBe(0);
});

test.each([Infinity, -Infinity, Number.NaN])("%p is never added", (amount) => {
  const log = new SlidingSum(LENGTH);
  const entry = log.add(10, 0);
  expect(() => log.add(amount, 0)).toThrow(RangeError);
  expect(() => log.change(entry, amount)).toThrow(RangeError);
  expect(log.total(0)).toBe(10);
  expect(log.total(LENGTH)).toBe(0);
});
