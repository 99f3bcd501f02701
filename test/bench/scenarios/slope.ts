import { slopeOf } from "../statistics.ts";
import { exactness } from "../figure.ts";
import { completeness } from "../measure.ts";
import type { Order } from "../order.ts";
import type { Contender } from "../contenders/contender.ts";
import type { Settings } from "../settings.ts";
import { Stage } from "../stage.ts";
import type { Scenario } from "./scenario.ts";

/** Paced, if quickly, so that there is a middle to be left in. */
const ORDER: Order = { kind: "paced", lane: 0, tokens: 4, interval: 2 };
const BATCHES = 40;
/** Of so many batches the least memory counts: what is above it is garbage that waits to be collected. */
const GROUP = 4;
/** The first of the groups, in which the heap finds its size, don't count. */
const WARM_GROUPS = 4;
/** KiB per 1,000 requests that pass for flat: 50 bytes a request are less than the smallest thing to be kept of one. */
const FLAT = 50;

/** How memory grows over many streams, of which every second is left in the middle. Once a run. */
export const slope: Scenario = {
  name: "slope",
  async run(settings) {
    await using stage = await Stage.open();
    const rawBun = await growthOf(await stage.start("raw-bun"), stage, settings);
    const modelyard = await growthOf(await stage.start("modelyard"), stage, settings);
    const scenario = slope.name;
    const { slopeRequests } = settings.sizes;
    return [
      {
        scenario,
        name: `RSS slope over ${slopeRequests} streams, half of them left`,
        unit: "KiB per 1,000",
        rounds: { "raw-bun": [rawBun.slope], modelyard: [modelyard.slope] },
        targets: [{ is: "at most", plus: FLAT }],
      },
      {
        scenario,
        name: "RSS at the end",
        unit: "MiB",
        rounds: { "raw-bun": [rawBun.end], modelyard: [modelyard.end] },
      },
      exactness(scenario, { "raw-bun": [rawBun.exact], modelyard: [modelyard.exact] }),
    ];
  },
};

async function growthOf(contender: Contender, { client }: Stage, settings: Settings) {
  const { connections, slopeRequests } = settings.sizes;
  const load = { target: contender.target, order: ORDER, bytes: 1024 };
  const count = slopeRequests / BATCHES;
  const sizes: number[] = [];
  let exact = 100;
  for (let batch = 1; batch <= BATCHES; batch++) {
    const outcome = await client.run({ kind: "leave", load, connections, count });
    exact = Math.min(exact, completeness(contender, outcome, settings));
    sizes.push(contender.server?.rss ?? NaN);
  }
  const points = Array.from({ length: BATCHES / GROUP }, (_, group) => ({
    x: (group * GROUP * count) / 1_000,
    y: Math.min(...sizes.slice(group * GROUP, (group + 1) * GROUP)),
  }));
  return { slope: slopeOf(points.slice(WARM_GROUPS)), end: (sizes.at(-1) ?? NaN) / 1024, exact };
}
