import type { Load } from "../client/job.ts";
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

const PLAIN: Order = { kind: "plain", lane: 0, tokens: 300, interval: 0 };
const STREAM: Order = { kind: "burst", lane: 0, tokens: 100, interval: 0 };

/** The header by which the gateway tells that it did not ask the upstream. */
const HIT = "x-modelyard-cache: hit";

/** What the cache's answers cost, beside a pass-through that asks the upstream for the same ones. */
export const hit: Scenario = {
  name: "hit",
  async run(settings) {
    await using stage = await Stage.open();
    const contenders = await stage.startAll(present(["nginx", "raw-bun", "modelyard-hit"], settings));
    const plain = await measureHits(stage, contenders, { order: PLAIN, settings });
    const stream = await measureHits(stage, contenders, { order: STREAM, settings });
    const scenario = hit.name;
    const exact = mergedRounds(plain.exact, stream.exact);
    return [
      {
        scenario,
        name: "CPU per request",
        unit: "µs",
        rounds: plain.cpu,
        targets: [{ is: "at most", times: { "raw-bun": 1 } }],
      },
      {
        scenario,
        name: `CPU per event, ${eventsOf(STREAM)} sent at once`,
        unit: "µs",
        rounds: perEvent(stream.cpu),
      },
      exactness(scenario, exact),
    ];
  },
};

interface Hits {
  readonly order: Order;
  readonly settings: Settings;
}

type Rounds = Figure["rounds"];

/** CPU in µs per answer, and the share of the answers that were exact and, with the cache, hits. */
async function measureHits({ client }: Stage, contenders: readonly Contender[], { order, settings }: Hits) {
  const { connections, round } = settings.sizes;
  const loadOf = ({ name, target }: Contender): Load => ({
    target,
    order,
    bytes: 1024,
    ...(name === "modelyard-hit" && { header: HIT }),
  });
  for (const { target } of contenders) await fill(client, { target, order, bytes: 1024 }, connections);
  await warmUp({ client, contenders, loadOf }, settings);
  const measured = await interleaved(contenders, settings.rounds, async (contender) => {
    const work = () => client.run({ kind: "repeat", load: loadOf(contender), connections, ms: round });
    const { result, cpu } = await costOf(contender, work, settings);
    return { cpu: cpu / result.complete, exact: completeness(contender, result, settings) };
  });
  return { cpu: pick(measured, ({ cpu }) => cpu), exact: pick(measured, ({ exact }) => exact) };
}

/** Asks once what each of the connections is going to ask. */
async function fill(client: Stage["client"], load: Load, count: number): Promise<void> {
  await client.run({ kind: "streams", load, count, ramp: 0 });
}

function perEvent(rounds: Rounds): Rounds {
  const each = Object.entries(rounds).map(([name, values]) => [
    name,
    values.map((cpu) => cpu / eventsOf(STREAM)),
  ]);
  return Object.fromEntries(each) as Rounds;
}

/** The rounds of both, by contender. */
function mergedRounds(one: Rounds, other: Rounds): Rounds {
  const names = Object.keys(one) as ContenderName[];
  return Object.fromEntries(names.map((name) => [name, [...(one[name] ?? []), ...(other[name] ?? [])]]));
}
