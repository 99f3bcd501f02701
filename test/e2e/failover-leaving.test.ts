import { expect, test } from "bun:test";
import type { Step } from "../support/scripted-gateway.ts";
import { HELLO } from "../support/scripted-gateway.ts";
import type { Several, SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { until } from "../support/until.ts";

/**
 * A client that leaves while its request is on its way from one try to the next ends all work for it.
 * @module
 */
const PROMISED_MS = 50;

function upstream(...steps: readonly Step[]): Several {
  return { answers: { m: steps } };
}

const down: Step = { fail: "unavailable", message: "nobody is at home" };

/** A request whose client can leave; says how long all work for it went on after that. */
function begin(gateway: SeveralGateway, stream: boolean) {
  const controller = new AbortController();
  const body = { model: "m", stream, messages: [{ role: "user", content: "Well?" }] };
  const answer = gateway.chat(body, { signal: controller.signal }).then(
    (response) => response.text(),
    () => "left",
  );
  return async function leave(): Promise<number> {
    const began = performance.now();
    controller.abort();
    await gateway.quiet();
    const took = performance.now() - began;
    await answer;
    return took;
  };
}

for (const stream of [true, false]) {
  const form = stream ? "streamed" : "plain";

  test(`during the pause before a retry (${form})`, async () => {
    const soon = { ...down, retryAfterMs: 1_000 };
    await using gateway = await startSeveral({ a: upstream(soon) });
    const leave = begin(gateway, stream);
    await until(() => gateway.status("a").begun === 1 && gateway.status("a").running === 0, "the pause");
    const took = await leave();
    console.log(`left during a back-off (${form}): all ended after ${took.toFixed(1)} ms`);
    expect(took).toBeLessThan(PROMISED_MS);
    expect(gateway.calls()).toEqual({ a: 1 });
  });

  test(`while the second target is thinking (${form})`, async () => {
    const yaml = "routes: [{ model: m, targets: [a, b, c] }]\n";
    await using gateway = await startSeveral(
      { a: upstream(down), b: upstream({ hang: true }), c: upstream(...HELLO) },
      yaml,
    );
    const leave = begin(gateway, stream);
    await until(() => gateway.status("b").running === 1, "the second target");
    const took = await leave();
    console.log(`left during failover (${form}): all ended after ${took.toFixed(1)} ms`);
    expect(took).toBeLessThan(PROMISED_MS);
    expect(gateway.calls()).toEqual({ a: 1, b: 1, c: 0 });
  });
}

test("behind headers that went out early", async () => {
  const yaml = "server: { port: 0, early_headers: 20ms }\nroutes: [{ model: m, targets: [a, b, c] }]\n";
  await using gateway = await startSeveral(
    { a: upstream(down), b: upstream({ hang: true }), c: upstream(...HELLO) },
    yaml,
  );
  const controller = new AbortController();
  const body = { model: "m", stream: true, messages: [{ role: "user", content: "Well?" }] };
  const response = await gateway.chat(body, { signal: controller.signal });
  expect(response.status).toBe(200);
  await until(() => gateway.status("b").running === 1, "the second target");
  const began = performance.now();
  controller.abort();
  await gateway.quiet();
  const took = performance.now() - began;
  console.log(`left behind early headers: all ended after ${took.toFixed(1)} ms`);
  expect(took).toBeLessThan(PROMISED_MS);
  expect(gateway.calls()).toEqual({ a: 1, b: 1, c: 0 });
});

test("many at once leave nothing behind", async () => {
  const yaml = "routes: [{ model: m, targets: [a, b] }]\nhealth: { failures: 1000000 }\n";
  const settings = { a: upstream(down), b: upstream({ hang: true }) };
  await using gateway = await startSeveral(settings, yaml);
  const leaving = Array.from({ length: 50 }, (_, i) => begin(gateway, i % 2 === 0));
  await until(() => gateway.status("b").running === 50, "all of them at the second target");
  const took = Math.max(...(await Promise.all(leaving.map((leave) => leave()))));
  console.log(`50 left during failover at once: all ended after ${took.toFixed(1)} ms`);
  expect(gateway.calls()).toEqual({ a: 50, b: 50 });
  expect(gateway.gateway.inFlight.running).toBe(0);
});
