import { expect } from "bun:test";
import { withinMs } from "../support/until.ts";
import type { Client } from "./clients.ts";

/** One request, brought to the phase in which its client leaves. */
export interface Scene {
  readonly client: Client;
  /** Resolves, with `performance.now()`, when the upstream has seen that nobody waits any more. */
  readonly ended: Promise<number>;
}

export interface Departures {
  readonly phase: string;
  readonly times: number;
  /** Brings the nth request (from 0) there. */
  readonly scene: (nth: number) => Promise<Scene>;
  /** Resolves when nothing is left of the request within the gateway. */
  readonly quiet: () => Promise<void>;
}

/**
 * How long an upstream may go on at most, in ms. The product promises 50, which the printed figures show on a
 * machine that is idle; a shared one may stand still for longer than that.
 */
const BOUND = 1_000;

/** Lets one client after the other leave, and tells how long its upstream went on. */
export async function expectPromptEnds({ phase, times, scene, quiet }: Departures): Promise<void> {
  const took: number[] = [];
  for (let nth = 0; nth < times; nth++) {
    const { client, ended } = await scene(nth);
    const left = performance.now();
    client.leave();
    took.push((await withinMs(ended, `the end of the upstream's work (${phase})`)) - left);
    await quiet();
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.ceil(share * took.length) - 1] ?? 0;
  const [p50, p99] = [at(0.5), at(0.99)];
  console.log(`client left ${phase}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (${times} times)`);
  // Whose work had ended before proves nothing.
  expect(took[0]).toBeGreaterThan(0);
  expect(p99).toBeLessThan(BOUND);
}
