import { expect, test } from "bun:test";
import type { Upstream } from "../contract/index.ts";
import { ByteBudget } from "../state/byte-budget.ts";
import { CallRegistry } from "../state/call-registry.ts";
import { Meter } from "../state/meter.ts";
import type { OpenUpstream } from "../state/open-upstream.ts";
import { TargetStates } from "../state/target-states.ts";
import { metricsPage } from "./metrics.ts";

function upstreamOf(id: string, status: NonNullable<Upstream["status"]>): OpenUpstream {
  return {
    id,
    plugin: "any",
    upstream: {
      models: () => Promise.resolve([]),
      async *chat() {
        yield { type: "finish", reason: "stop" };
      },
      status,
    },
    models: undefined,
    timeouts: { connect: 1, first_event: 1, idle: 1, total: 1 },
    close: () => Promise.resolve(),
  };
}

test("states of circuits and pools are read when somebody asks, and a status that fails is left out", async () => {
  const pooled = upstreamOf("pooled", () => ({ credentials: { states: { fresh: 2, dead: 1 }, waiting: 0 } }));
  const broken = upstreamOf("broken", () => {
    throw new Error("no");
  });
  const targets = new TargetStates({ health: { window: 1e4, failures: 1, cooldown: 1e4 }, retryShare: 0.2 });
  targets.enter({ upstream: pooled, model: "m", weight: 1 })?.ended({ code: "unavailable" });
  const response = metricsPage(new Request("http://localhost/metrics"), {
    bodies: new ByteBudget(100),
    calls: new CallRegistry(),
    ledger: { pending: 3, dropped: 0 },
    meter: new Meter(),
    targets,
    upstreams: new Map([
      ["pooled", pooled],
      ["broken", broken],
    ]),
  });
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = (await response.text()).split("\n");
  expect(lines).toContain('modelyard_circuit_state{target="pooled/m",state="open"} 1');
  expect(lines).toContain('modelyard_pool_credentials{upstream="pooled",state="fresh"} 2');
  expect(lines).toContain("modelyard_ledger_pending_rows 3");
  expect(lines.filter((line) => line.includes("broken"))).toEqual([]);
  expect(lines.at(-1)).toBe("");
});
