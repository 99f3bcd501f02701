import { expect, test } from "bun:test";
import fc from "fast-check";
import type { LimitSettings } from "../../config/settings.ts";
import type { Permit } from "./rate-limiter.ts";
import { RateLimiter } from "./rate-limiter.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

interface Past {
  readonly at: number;
  tokens: number;
  running: boolean;
}

/** The limits in their plainest form: everything that ever was, looked through for each request. */
class Oracle {
  readonly past: Past[] = [];

  within(length: number, now: number): Past[] {
    return this.past.filter(({ at }) => at + length > now);
  }

  tokens(now: number): number {
    return this.within(MINUTE, now).reduce((sum, { tokens }) => sum + tokens, 0);
  }

  mayAdmit(limits: LimitSettings, tokens: number, now: number): boolean {
    return (
      this.within(MINUTE, now).length < (limits.requests_per_minute ?? Infinity) &&
      this.within(DAY, now).length < (limits.requests_per_day ?? Infinity) &&
      this.tokens(now) + tokens <= (limits.tokens_per_minute ?? Infinity) &&
      this.past.filter(({ running }) => running).length < (limits.concurrent_requests ?? Infinity)
    );
  }

  admit(at: number, tokens: number): Past {
    const entry = { at, tokens, running: true };
    this.past.push(entry);
    return entry;
  }
}

interface Stream {
  readonly slot: Permit;
  readonly entry: Past;
}

const limit = (max: number) => fc.option(fc.integer({ min: 1, max }), { nil: undefined });
const someLimits = fc.record({
  requests_per_minute: limit(40),
  requests_per_day: limit(120),
  tokens_per_minute: limit(20_000),
  concurrent_requests: limit(60),
});
/** Mostly crowds, sometimes a wait that moves a window, rarely one that moves a day. */
const pause = fc.oneof(
  { weight: 12, arbitrary: fc.constant(0) },
  { weight: 8, arbitrary: fc.nat(3_000) },
  { weight: 2, arbitrary: fc.constantFrom(MINUTE - 1, MINUTE, MINUTE + 1) },
  { weight: 1, arbitrary: fc.constantFrom(DAY - 1, DAY, DAY / 2) },
);
const step = fc.record({
  pause,
  arrivals: fc.nat(60),
  tokens: fc.nat(2_000),
  /** Which of the streams under way ends, and how; the rest go on. */
  ends: fc.array(
    fc.record({ which: fc.nat(199), how: fc.constantFrom("settle", "fail", "late"), used: fc.nat(3_000) }),
    { maxLength: 40 },
  ),
});

const MOST_STREAMS = 200;

test("with 200 concurrent streams exactly those are admitted that a naive oracle admits", () => {
  let admissions = 0;
  let refusals = 0;
  fc.assert(
    fc.property(someLimits, fc.array(step, { maxLength: 25 }), (limits, steps) => {
      let now = 1_000;
      const limiter = new RateLimiter({ now: () => now });
      const oracle = new Oracle();
      const streams: Stream[] = [];
      const late: { readonly stream: Stream; readonly used: number }[] = [];
      const [who, reserved] = [{ id: "key a", limits: limits as LimitSettings }, [] as number[]];
      let [settled, released] = [0, 0];
      const settle = ({ slot, entry }: Stream, used: number) => {
        slot.settle(used);
        // A second one must not count.
        slot.settle(used + 1);
        entry.tokens = used;
        settled += used;
        released += slot.reserved - used;
      };
      const end = ({ slot, entry }: Stream) => {
        slot[Symbol.dispose]();
        slot[Symbol.dispose]();
        entry.running = false;
      };
      for (const { pause: ms, arrivals, tokens, ends } of steps) {
        now += ms;
        for (const { stream, used } of late.splice(0)) settle(stream, used);
        for (let arrival = 0; arrival < arrivals && streams.length < MOST_STREAMS; arrival++) {
          const expected = oracle.mayAdmit(who.limits, tokens, now);
          const slot = limiter.admit(who, tokens);
          expect("limit" in slot).toBe(!expected);
          if ("limit" in slot) {
            refusals += 1;
            continue;
          }
          admissions += 1;
          reserved.push(slot.reserved);
          streams.push({ slot, entry: oracle.admit(now, slot.reserved) });
          checkWindows(oracle, who.limits, now);
        }
        for (const { which, how, used } of ends) {
          const stream = streams.splice(which % Math.max(1, streams.length), 1)[0];
          if (!stream) continue;
          const isCounted = limits.tokens_per_minute !== undefined;
          const spent = isCounted ? used : 0;
          if (how === "settle") settle(stream, spent);
          end(stream);
          if (how === "settle") continue;
          stream.entry.tokens = 0;
          if (how === "late") late.push({ stream, used: spent });
          else released += stream.slot.reserved;
        }
        const left = limiter.standing(who).tokens?.remaining;
        if (left !== undefined) {
          expect(left).toBe(Math.max(0, (limits.tokens_per_minute ?? 0) - oracle.tokens(now)));
        }
      }
      for (const { stream, used } of late) settle(stream, used);
      for (const stream of streams) {
        end(stream);
        released += stream.slot.reserved;
      }
      expect(reserved.reduce((sum, each) => sum + each, 0)).toBe(settled + released);
    }),
    { numRuns: 150 },
  );
  expect(admissions).toBeGreaterThan(1_000);
  expect(refusals).toBeGreaterThan(1_000);
});

/** The windows that end now: of any others, the one that ends at its last admission was checked before. */
function checkWindows(oracle: Oracle, limits: LimitSettings, now: number): void {
  expect(oracle.within(MINUTE, now).length).toBeLessThanOrEqual(limits.requests_per_minute ?? Infinity);
  expect(oracle.within(DAY, now).length).toBeLessThanOrEqual(limits.requests_per_day ?? Infinity);
  expect(oracle.tokens(now)).toBeLessThanOrEqual(limits.tokens_per_minute ?? Infinity);
}

test("a lone client that waits as long as it was told is admitted, and not a millisecond earlier", () => {
  const request = fc.record({ after: fc.nat(20_000), tokens: fc.integer({ min: 1, max: 400 }) });
  fc.assert(
    fc.property(
      fc.record({
        requests_per_minute: limit(6),
        requests_per_day: limit(30),
        tokens_per_minute: limit(1_000),
      }),
      fc.array(request, { maxLength: 60 }),
      (limits, requests) => {
        let now = 0;
        const limiter = new RateLimiter({ now: () => now });
        const who = { id: "key a", limits: limits as LimitSettings };
        for (const { after, tokens } of requests) {
          now += after;
          let slot = limiter.admit(who, tokens);
          if ("limit" in slot) {
            const { retryAfterMs } = slot;
            if (retryAfterMs === undefined) {
              expect(tokens).toBeGreaterThan(limits.tokens_per_minute ?? Infinity);
              continue;
            }
            now += retryAfterMs - 1;
            expect("limit" in limiter.admit(who, tokens)).toBe(true);
            now += 1;
            slot = limiter.admit(who, tokens);
          }
          if ("limit" in slot) throw new Error(`refused after the wait: ${JSON.stringify(slot)}`);
          slot.settle(tokens);
          slot[Symbol.dispose]();
        }
      },
    ),
    { numRuns: 200 },
  );
});
