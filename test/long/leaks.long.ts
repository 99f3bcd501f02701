import { expect, test } from "bun:test";
import { langfastYaml } from "../support/langfast-gateway.ts";
import type { CodeProcess } from "../support/gateway-process.ts";
import { GatewayFolder, startMain } from "../support/gateway-process.ts";
import { startEmulator } from "../support/langfast-emulator/index.ts";
import { Random } from "../support/random.ts";
import { until } from "../support/until.ts";
import type { Footprint } from "../promises/footprint.ts";
import { footprintOf } from "../promises/footprint.ts";

/**
 * What is abandoned leaves nothing behind: the memory and the descriptors of a gateway are the same after
 * thousands of requests of which half were left at any moment.
 * @module
 */
const KEY = "sk-leaks-0123456789";
const HEAD = `server: { port: 0 }\nkeys: [{ name: leaks, key: ${KEY} }]\ntelemetry: { level: warn }\n`;
const ENVIRONMENT = { BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" };
const AT_ONCE = 48;
/** Within this, in ms, those who leave do. */
const LATEST = 25;

// Pools of idle connections come and go.
const MOST_DESCRIPTORS = 24;
const MOST_MIB = 48;

const PACED = Array.from({ length: 8 }, (_, nth) => [{ text: `piece ${nth} ` }, { delay: "2ms" }]).flat();

test("10,000 requests to the echo, half of them abandoned at any moment, leave nothing behind", async () => {
  const script = JSON.stringify([{ match: "*", steps: PACED }]);
  const yaml = `${HEAD}upstreams:\n  echo: { plugin: echo, options: { script: ${script} } }\n`;
  await expectNothingLeft(yaml, { model: "echo", requests: 10_000 });
}, 120_000);

test("2,000 requests to langfast, half of them abandoned at any moment, leave nothing behind", async () => {
  await using emulator = await startEmulator({ script: { pace: 2 } });
  const yaml = HEAD + langfastYaml(emulator, "{ min: 3, max: 6 }");
  await expectNothingLeft(yaml, { model: "gpt-4o-mini", requests: 2_000 });
  await until(() => emulator.runs.every(({ state }) => state !== "running"), "the end of all runs");
  expect(emulator.violations).toEqual([]);
}, 120_000);

interface Load {
  readonly model: string;
  readonly requests: number;
}

/** Measures a gateway after a warm-up of the same size, and again after the load. */
async function expectNothingLeft(yaml: string, load: Load): Promise<void> {
  using folder = new GatewayFolder(yaml);
  await using gateway = startMain(folder, ENVIRONMENT);
  const url = await gateway.listening();
  const fresh = footprintOf(gateway.pid);
  await run(url, load, 1);
  const warm = await settled(gateway, fresh.descriptors, 1_000);
  const outcome = await run(url, load, 2);
  const after = await settled(gateway, warm.descriptors + MOST_DESCRIPTORS - 1, 20_000);
  console.log(
    `${load.requests} requests to ${load.model}, ${outcome.left} left, ${outcome.failed} failed: RSS ${tell(fresh, warm, after, "rss")} MiB, descriptors ${tell(fresh, warm, after, "descriptors")}`,
  );
  expect(outcome.failed).toBe(0);
  expect(outcome.left).toBeGreaterThan(load.requests / 4);
  expect(after.descriptors).toBeLessThan(warm.descriptors + MOST_DESCRIPTORS);
  expect(after.rss).toBeLessThan(warm.rss + MOST_MIB);
  gateway.signal("SIGTERM");
  const { code, stderr } = await gateway.ended();
  // A request that was still counted as running would be waited for, and then be cut with a warning.
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("are cut")]);
}

interface Outcome {
  readonly left: number;
  readonly failed: number;
}

/** Sends requests, so many at once; every other one is left at a random moment, if it isn't over before. */
async function run(url: string, { model, requests }: Load, seed: number): Promise<Outcome> {
  const random = new Random(seed);
  const outcome = { left: 0, failed: 0 };
  let sent = 0;
  const client = async () => {
    while (sent < requests) {
      sent += 1;
      const patience = sent % 2 === 0 ? random.next() * LATEST : undefined;
      const said = await ask(url, { model, stream: random.chance(0.75), patience });
      if (said === undefined) outcome.left += 1;
      else if (!/"finish_reason":"stop"/.test(said)) outcome.failed += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  return outcome;
}

interface Asking {
  readonly model: string;
  readonly stream: boolean;
  /** Milliseconds after which the client leaves. */
  readonly patience: number | undefined;
}

/** The answer's body; undefined for a client that left before its end. */
async function ask(url: string, { model, stream, patience }: Asking): Promise<string | undefined> {
  const leaving = new AbortController();
  const timer = patience === undefined ? undefined : setTimeout(() => leaving.abort(), patience);
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      // Kept connections would be counted as the gateway's.
      headers: { authorization: `Bearer ${KEY}`, connection: "close" },
      body: JSON.stringify({ model, stream, messages: [{ role: "user", content: "one two three four" }] }),
      signal: leaving.signal,
    });
    return await response.text();
  } catch (error) {
    if (leaving.signal.aborted) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The footprint as soon as there are at most so many descriptors, or after `patience` ms. */
async function settled(gateway: CodeProcess, descriptors: number, patience: number): Promise<Footprint> {
  const isBack = () => footprintOf(gateway.pid).descriptors <= descriptors;
  await until(isBack, "the descriptors to be closed", patience).catch(() => undefined);
  return footprintOf(gateway.pid);
}

function tell(fresh: Footprint, warm: Footprint, after: Footprint, what: keyof Footprint): string {
  return [fresh, warm, after].map((footprint) => Math.round(footprint[what])).join(" → ");
}
