import { describe, expect, test } from "bun:test";
import { closedGate } from "../support/gate.ts";
import type { Step } from "../support/scripted-gateway.ts";
import { HELLO, say, stop } from "../support/scripted-gateway.ts";
import type { Several, SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { until } from "../support/until.ts";

/**
 * Targets that fail are left alone for a while, and come back by themselves.
 * @module
 */
const COOLDOWN_MS = 300;
const HEALTH = `health: { window: 2s, failures: 3, cooldown: ${COOLDOWN_MS}ms }\nretry: { attempts: 1 }\n`;

function upstream(...steps: readonly Step[]): Several {
  return { answers: { m: steps } };
}

function failed(times?: number): Step {
  return { fail: "failed", message: "the engine caught fire", ...(times !== undefined && { times }) };
}

async function ask(gateway: SeveralGateway, stream = false): Promise<Response> {
  return gateway.chat({ model: "m", stream, messages: [{ role: "user", content: "Well?" }] });
}

async function statusOf(gateway: SeveralGateway): Promise<number> {
  const response = await ask(gateway);
  await response.text();
  return response.status;
}

async function statuses(gateway: SeveralGateway, count: number): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < count; i++) seen.push(await statusOf(gateway));
  return seen;
}

/** What the circuit of the model `m` at an upstream would do with a request now. */
function stateOf({ gateway }: SeveralGateway, id: string): string {
  const open = gateway.upstreams.get(id);
  if (!open) throw new Error(`no upstream ${id}`);
  return gateway.targets.of({ upstream: open, model: "m", weight: 1 }).circuit.state(performance.now());
}

describe("a target that fails", () => {
  test("is rested while another can answer, tried again by one request, and closed when that is answered", async () => {
    const routes = `routes: [{ model: m, targets: [a, b] }]\n${HEALTH.replace("attempts: 1", "attempts: 2")}`;
    const upstreams = { a: upstream(failed(3), ...HELLO), b: upstream(...HELLO) };
    await using gateway = await startSeveral(upstreams, routes);
    await statuses(gateway, 5);
    expect(stateOf(gateway, "a")).toBe("open");
    expect(gateway.calls()).toEqual({ a: 3, b: 5 });
    await until(() => stateOf(gateway, "a") === "half_open", "the end of the cooldown");
    expect(await statuses(gateway, 5)).toEqual([200, 200, 200, 200, 200]);
    expect(gateway.calls()).toEqual({ a: 8, b: 5 });
  });

  test("is asked by one request at a time where no other is left, and closed by its answer", async () => {
    await using gate = closedGate();
    const steps: Step[] = [failed(3), { gate: gate.url }, ...HELLO];
    await using gateway = await startSeveral({ a: upstream(...steps) }, HEALTH);
    expect(await statuses(gateway, 3)).toEqual([502, 502, 502]);
    const probe = ask(gateway);
    await gate.reached();
    const refused = await ask(gateway);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ error: { code: "upstream_unavailable" } });
    expect(gateway.calls()).toEqual({ a: 4 });
    gate.open();
    expect((await probe).status).toBe(200);
    expect(stateOf(gateway, "a")).toBe("closed");
  });

  test("lets exactly one of many at once try it again, and all when that one's answer begins", async () => {
    await using gate = closedGate();
    await using open = closedGate();
    const steps: Step[] = [failed(3), { gate: gate.url }, say("Hello"), { gate: open.url }, stop()];
    await using gateway = await startSeveral({ a: upstream(...steps) }, HEALTH);
    await statuses(gateway, 3);
    await until(() => stateOf(gateway, "a") === "half_open", "the end of the cooldown");
    let answered = 0;
    const many = Array.from({ length: 40 }, async () => {
      const response = await ask(gateway, true);
      answered += 1;
      return response;
    });
    await gate.reached();
    await until(() => answered === 39, "the answers to all but the probe");
    expect(gateway.status("a")).toEqual({ begun: 4, running: 1 });
    expect(stateOf(gateway, "a")).toBe("half_open");
    gate.open();
    const seen = await Promise.all(many);
    expect(seen.filter(({ status }) => status === 503)).toHaveLength(39);
    // The probe's answer goes on and on; the others don't wait for its end.
    await open.reached();
    expect(stateOf(gateway, "a")).toBe("closed");
    const second = await ask(gateway, true);
    expect(second.status).toBe(200);
    open.open();
    for (const response of [...seen, second]) await response.text();
  });

  test("is opened again by a probe that fails", async () => {
    await using gateway = await startSeveral({ a: upstream(failed(4), ...HELLO) }, HEALTH);
    await statuses(gateway, 3);
    await until(() => stateOf(gateway, "a") === "half_open", "the end of the cooldown");
    expect(await statusOf(gateway)).toBe(502);
    expect(stateOf(gateway, "a")).toBe("open");
    expect(await statusOf(gateway)).toBe(200);
    expect(stateOf(gateway, "a")).toBe("closed");
    expect(gateway.calls()).toEqual({ a: 5 });
  });

  test("leaves the probe's place to the next when the probe's client leaves", async () => {
    await using gate = closedGate();
    const steps: Step[] = [failed(3), { gate: gate.url }, ...HELLO];
    await using gateway = await startSeveral({ a: upstream(...steps) }, HEALTH);
    await statuses(gateway, 3);
    await until(() => stateOf(gateway, "a") === "half_open", "the end of the cooldown");
    const leaving = new AbortController();
    const body = { model: "m", messages: [{ role: "user", content: "Well?" }] };
    const left = gateway.chat(body, { signal: leaving.signal }).catch(() => "left");
    await gate.reached();
    leaving.abort();
    expect(await left).toBe("left");
    await gateway.quiet();
    gate.open();
    expect(await statusOf(gateway)).toBe(200);
    expect(stateOf(gateway, "a")).toBe("closed");
  });

  test("costs those behind it nothing while it rests: the next target is the first asked", async () => {
    const routes = `routes: [{ model: m, targets: [a, b] }]\n${HEALTH.replace("attempts: 1", "attempts: 2")}`;
    await using gateway = await startSeveral({ a: upstream(failed()), b: upstream(...HELLO) }, routes);
    await statuses(gateway, 3);
    const response = await ask(gateway);
    expect(response.headers.get("x-modelyard-upstream")).toBe("b");
    expect(response.headers.get("x-modelyard-attempts")).toBe("1");
    expect(gateway.calls()).toEqual({ a: 3, b: 4 });
  });

  test("rests alone: the upstream's other models are served", async () => {
    const answers = { m: [failed()], other: HELLO };
    await using gateway = await startSeveral({ a: { answers } }, HEALTH);
    expect(await statuses(gateway, 3)).toEqual([502, 502, 502]);
    expect(stateOf(gateway, "a")).toBe("open");
    const other = await gateway.chat({ model: "other", messages: [{ role: "user", content: "Well?" }] });
    expect(other.status).toBe(200);
  });
});

describe("when everything is down", () => {
  test("few ask, the others are told at once, with the earliest time to come back", async () => {
    await using gate = closedGate();
    const resting = (seconds: number, ...before: Step[]) =>
      upstream(
        {
          first: [{ fail: "rate-limited", message: "back later", retryAfterMs: seconds * 1_000 }],
        },
        ...before,
        { fail: "rate-limited", message: "back later", retryAfterMs: seconds * 1_000 },
      );
    const yaml = `routes: [{ model: m, targets: [a, b] }]\nretry: { attempts: 2 }\n`;
    await using gateway = await startSeveral({ a: resting(40), b: resting(20, { gate: gate.url }) }, yaml);
    await statusOf(gateway);
    let answered = 0;
    const asked = Array.from({ length: 20 }, async () => {
      const response = await ask(gateway, true);
      answered += 1;
      return response;
    });
    await until(() => answered === 17, "the answers to all but the few that may ask");
    expect(gateway.calls()).toEqual({ a: 1, b: 4 });
    gate.open();
    const responses = await Promise.all(asked);
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 429));
    expect(new Set(responses.map(({ headers }) => headers.get("retry-after")))).toEqual(new Set(["20"]));
    expect(gateway.calls()).toEqual({ a: 1, b: 4 });
  });

  test("429 where it is the upstreams' rate limit", async () => {
    const limited = upstream({ fail: "rate-limited", message: "slow down", retryAfterMs: 20_000 });
    await using gateway = await startSeveral({ a: limited });
    await statusOf(gateway);
    const response = await ask(gateway);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("20");
    expect(await response.json()).toMatchObject({ error: { code: "rate_limit_exceeded" } });
    // It is asked all the same, since no other is left.
    expect(gateway.calls()).toEqual({ a: 2 });
  });
});

describe("each failure counts in its own way", () => {
  test("credentials that are refused time after time rest it", async () => {
    const refused: Step = { fail: "rejected", message: "wrong key" };
    const routes = `routes: [{ model: m, targets: [a, b] }]\n${HEALTH.replace("attempts: 1", "attempts: 2")}`;
    await using gateway = await startSeveral({ a: upstream(refused), b: upstream(...HELLO) }, routes);
    await statuses(gateway, 5);
    expect(gateway.calls()).toEqual({ a: 3, b: 5 });
  });

  test("rate limits without a time to come back never rest it", async () => {
    const limited: Step = { fail: "rate-limited", message: "slow down" };
    await using gateway = await startSeveral({ a: upstream(limited) }, HEALTH);
    expect(await statuses(gateway, 10)).toEqual(Array.from({ length: 10 }, () => 429));
    expect(gateway.calls()).toEqual({ a: 10 });
  });

  test("what is the client's own fault never rests it", async () => {
    const refused: Step = { fail: "bad-request", message: "temperature must be at most 2" };
    await using gateway = await startSeveral({ a: upstream(refused) }, HEALTH);
    expect(await statuses(gateway, 10)).toEqual(Array.from({ length: 10 }, () => 400));
  });
});
