import type { Load } from "../client/job.ts";
import type { Contender } from "../contenders/contender.ts";
import { exactness } from "../figure.ts";
import { completeness, costOf, interleaved, pick } from "../measure.ts";
import { eventsOf } from "../order.ts";
import type { Order } from "../order.ts";
import { present } from "../settings.ts";
import { Stage } from "../stage.ts";
import { warmUp } from "../warm-up.ts";
import type { Scenario } from "./scenario.ts";

const ORDER: Order = { kind: "burst", lane: 0, tokens: 100, interval: 0 };

/** Streams whose events the upstream sends all at once. */
export const burst: Scenario = {
  name: "burst",
  async run(settings) {
    const { connections, round } = settings.sizes;
    await using stage = await Stage.open();
    const contenders = await stage.startAll(present(["nginx", "raw-bun", "modelyard", "portkey"], settings));
    const { client } = stage;
    const loadOf = ({ target }: Contender): Load => ({ target, order: ORDER, bytes: 1024 });
    await warmUp({ client, contenders, loadOf }, settings);
    const measured = await interleaved(contenders, settings.rounds, async (contender) => {
      const work = () => client.run({ kind: "repeat", load: loadOf(contender), connections, ms: round });
      const { result, cpu } = await costOf(contender, work, settings);
      return {
        cpu: cpu / (result.complete * eventsOf(ORDER)),
        exact: completeness(contender, result, settings),
      };
    });
    const scenario = burst.name;
    return [
      {
        scenario,
        name: `CPU per event, ${eventsOf(ORDER)} sent at once`,
        unit: "µs",
        rounds: pick(measured, ({ cpu }) => cpu),
        targets: [
          { is: "at most", times: { "raw-bun": 2 } },
          { is: "at most", times: { portkey: 1 / 10 } },
        ],
      },
      exactness(
        scenario,
        pick(measured, ({ exact }) => exact),
      ),
    ];
  },
};
