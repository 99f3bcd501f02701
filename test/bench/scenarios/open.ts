import { exactness } from "../figure.ts";
import type { Figure } from "../figure.ts";
import type { LoadClient } from "../load-client.ts";
import type { Contender } from "../contenders/contender.ts";
import { completeness, interleaved, pick } from "../measure.ts";
import type { Order } from "../order.ts";
import type { ServerProcess } from "../process.ts";
import { present } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { Stage } from "../stage.ts";
import type { Scenario } from "./scenario.ts";

const KIB = 1024;
/** Milliseconds between the starts of two streams: a crowd that comes and stays. */
const START_EVERY = 0.5;
/** How many events later than the last start the first stream may end. */
const STAY = 2;
const WARM_STREAMS = 50;
const LOOK_EVERY = 50;

/** What the memory of many open streams is, and whether all of them arrive. */
export const open: Scenario = {
  name: "open",
  async run(settings) {
    const figures: Figure[] = [];
    for (const count of settings.sizes.open) figures.push(...(await holdOpen(count, settings)));
    return figures;
  },
};

/** Once a run, however many rounds: memory is steady, and each number needs processes that are fresh. */
async function holdOpen(count: number, settings: Settings): Promise<readonly Figure[]> {
  await using stage = await Stage.open();
  const contenders = await stage.startAll(present(["nginx", "raw-bun", "modelyard"], settings));
  const measured = await interleaved(contenders, 1, (contender) =>
    holdOpenAt(contender, { client: stage.client, count, settings }),
  );
  const scenario = open.name;
  return [
    {
      scenario,
      name: `RSS per stream, ${count} open`,
      unit: "KiB",
      rounds: pick(measured, ({ each }) => each),
      targets: [{ is: "at most", plus: 40 }],
    },
    { scenario, name: `RSS, ${count} open`, unit: "MiB", rounds: pick(measured, ({ all }) => all / KIB) },
    {
      scenario,
      name: `gap between events sent every ${settings.sizes.openPace} ms, p99`,
      unit: "ms",
      rounds: pick(measured, ({ gap }) => gap),
    },
    exactness(
      scenario,
      pick(measured, ({ exact }) => exact),
    ),
  ];
}

interface Holding {
  readonly client: LoadClient;
  readonly count: number;
  readonly settings: Settings;
}

async function holdOpenAt(contender: Contender, { client, count, settings }: Holding) {
  const { server, target } = contender;
  if (!server) throw new Error(`${contender.name} has no process`);
  const ramp = count * START_EVERY;
  const interval = settings.sizes.openPace;
  const order: Order = { kind: "paced", lane: 0, tokens: Math.ceil(ramp / interval) + STAY, interval };
  const streams = (asked: Order, number: number, within: number) =>
    client.run({
      kind: "streams",
      load: { target, order: asked, bytes: KIB },
      count: number,
      ramp: within,
    });
  await streams({ ...order, tokens: 2, interval: 1 }, WARM_STREAMS, 0);
  const before = server.rss;
  const peak = watchRss(server);
  const outcome = await streams(order, count, ramp);
  const all = peak.stop();
  if (outcome.open < count) settings.note(`${contender.name}: ${outcome.open} of ${count} open at once`);
  const exact = completeness(contender, outcome, settings);
  return { all, each: (all - before) / outcome.open, gap: outcome.gap.p99, exact };
}

/** Looks again and again at a process's memory; `stop` gives the most that was seen, in KiB. */
function watchRss(server: ServerProcess): { stop(): number } {
  let most = server.rss;
  const timer = setInterval(() => (most = Math.max(most, server.rss)), LOOK_EVERY);
  return {
    stop() {
      clearInterval(timer);
      return most;
    },
  };
}
