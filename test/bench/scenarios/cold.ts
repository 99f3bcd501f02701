import type { Contender } from "../contenders/contender.ts";
import { startContender } from "../contenders/start.ts";
import type { FrontName } from "../contenders/start.ts";
import type { Order } from "../order.ts";
import { present } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { Stage } from "../stage.ts";
import { completeness } from "../measure.ts";
import type { Scenario } from "./scenario.ts";

const ORDER: Order = { kind: "plain", lane: 0, tokens: 300, interval: 0 };

/** From the start of the process to the end of its first answer, with all files in the disk's cache. */
export const cold: Scenario = {
  name: "cold",
  async run(settings) {
    await using stage = await Stage.open();
    const names = present(["nginx", "raw-bun", "modelyard", "portkey"], settings);
    const times = new Map<FrontName, number[]>(names.map((name) => [name, []]));
    // One start more than are counted: the first fills the cache.
    for (let start = 0; start <= settings.sizes.coldStarts; start++) {
      for (const name of names) {
        const time = await timeToAnswer(name, stage, settings);
        if (start > 0) times.get(name)?.push(time);
      }
    }
    return [
      {
        scenario: cold.name,
        name: "start to first answer",
        unit: "ms",
        rounds: Object.fromEntries(times),
        targets: [{ is: "at most", plus: 250 }],
      },
    ];
  },
};

async function timeToAnswer(
  name: FrontName,
  { client, stubUrl }: Stage,
  settings: Settings,
): Promise<number> {
  const begun = performance.now();
  await using contender: Contender = await startContender(name, stubUrl);
  const load = { target: contender.target, order: ORDER, bytes: 1024 };
  const outcome = await client.run({ kind: "streams", load, count: 1, ramp: 0 });
  const time = performance.now() - begun;
  completeness(contender, outcome, settings);
  return time;
}
