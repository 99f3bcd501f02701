import type { LoadClient } from "../load-client.ts";
import type { Outcome, Target } from "../client/job.ts";
import type { Contender, ContenderName } from "../contenders/contender.ts";
import { exactness } from "../figure.ts";
import type { Figure } from "../figure.ts";
import { completeness, costOf, interleaved, pick } from "../measure.ts";
import { eventsOf } from "../order.ts";
import type { Order } from "../order.ts";
import { present } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { Stage } from "../stage.ts";
import { warmUp } from "../warm-up.ts";
import type { Scenario } from "./scenario.ts";

/** Milliseconds between the events of a stream: a model that says ten tokens a second. */
export const PACE = 100;

/** What one round of paced streams shows. */
export interface PacedRound extends Outcome {
  /** CPU in µs per event that the upstream sent. */
  readonly cpu: number;
  /** Per cent of the streams. */
  readonly exact: number;
}

/** Many streams at once, each of which gets one event at a time. */
export const paced: Scenario = {
  name: "paced",
  async run(settings) {
    await using stage = await Stage.open();
    const contenders = await stage.startAll(present(["nginx", "raw-bun", "modelyard", "portkey"], settings));
    const count = settings.sizes.pacedStreams;
    return figuresOf(await measurePaced(stage.client, contenders, { settings, count }), count);
  },
};

/** Measures `count` paced streams at a time, in interleaved rounds after a warm-up: many short streams, then a round. */
export async function measurePaced(
  client: LoadClient,
  contenders: readonly Contender[],
  { settings, count }: { readonly settings: Settings; readonly count: number },
): Promise<ReadonlyMap<ContenderName, readonly PacedRound[]>> {
  const order: Order = { kind: "paced", lane: 0, tokens: settings.sizes.pacedTokens, interval: PACE };
  const streams = (target: Target) =>
    client.run({
      kind: "streams",
      load: { target, order, bytes: 1024 },
      count,
      ramp: settings.sizes.ramp,
    });
  const quick: Order = { ...order, interval: 1 };
  await warmUp(
    { client, contenders, loadOf: ({ target }) => ({ target, order: quick, bytes: 1024 }) },
    settings,
  );
  for (const { target } of contenders) await streams(target);
  return interleaved(contenders, settings.rounds, async (contender) => {
    const { result, cpu } = await costOf(contender, () => streams(contender.target), settings);
    const exact = completeness(contender, result, settings);
    return { ...result, exact, cpu: cpu / (result.complete * eventsOf(order)) };
  });
}

function figuresOf(measured: ReadonlyMap<ContenderName, readonly PacedRound[]>, count: number): Figure[] {
  const scenario = paced.name;
  return [
    {
      scenario,
      name: `CPU per event, ${count} streams`,
      unit: "µs",
      rounds: pick(measured, ({ cpu }) => cpu),
      targets: [{ is: "at most", times: { "raw-bun": 1.5 } }],
    },
    exactness(
      scenario,
      pick(measured, ({ exact }) => exact),
    ),
    {
      scenario,
      name: "first text, p50",
      unit: "ms",
      rounds: pick(measured, ({ first }) => first.p50),
    },
    {
      scenario,
      name: "first text, p99",
      unit: "ms",
      rounds: pick(measured, ({ first }) => first.p99),
    },
    {
      scenario,
      name: `gap between events sent every ${PACE} ms, p99`,
      unit: "ms",
      rounds: pick(measured, ({ gap }) => gap.p99),
    },
  ];
}
