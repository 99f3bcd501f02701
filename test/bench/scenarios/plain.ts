import type { LoadClient } from "../load-client.ts";
import type { Load } from "../client/job.ts";
import type { Contender } from "../contenders/contender.ts";
import type { Target } from "../figure.ts";
import { costOf, interleaved, pick } from "../measure.ts";
import type { Order } from "../order.ts";
import { present } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { Stage } from "../stage.ts";
import { warmUp } from "../warm-up.ts";
import { runWrk, WRK } from "../wrk.ts";
import type { Answered } from "../wrk.ts";
import type { Scenario } from "./scenario.ts";

const KIB = 1024;
const ORDER: Order = { kind: "plain", lane: 0, tokens: 300, interval: 0 };

/** Plain JSON answers of 300 tokens to small requests, and to large ones. */
export const plain = plainScenario("plain", KIB, [
  { is: "at most", times: { "raw-bun": 1.6 } },
  { is: "at most", times: { portkey: 1 / 20 } },
]);
export const plain64k = plainScenario("plain64k", 64 * KIB, [{ is: "at most", times: { "raw-bun": 2.5 } }]);

function plainScenario(name: string, bytes: number, targets: readonly Target[]): Scenario {
  return {
    name,
    async run(settings) {
      await using stage = await Stage.open();
      const contenders = await stage.startAll(
        present(["nginx", "raw-bun", "modelyard", "portkey"], settings),
      );
      const loadOf = ({ target }: Contender): Load => ({ target, order: ORDER, bytes });
      // By our own client, since wrk doesn't look at what it gets.
      await warmUp({ client: stage.client, contenders, loadOf }, settings);
      const measured = await interleaved(contenders, settings.rounds, async (contender) => {
        const work = () => ask(stage.client, loadOf(contender), settings);
        const cost = await costOf(contender, work, settings);
        return {
          cpu: cost.cpu / cost.result.requests,
          rate: cost.result.requests / cost.result.seconds,
          memory: (contender.server?.rss ?? NaN) / KIB,
        };
      });
      return [
        {
          scenario: name,
          name: "CPU per request",
          unit: "µs",
          rounds: pick(measured, ({ cpu }) => cpu),
          targets,
        },
        {
          scenario: name,
          name: "requests",
          unit: "/s",
          rounds: pick(measured, ({ rate }) => rate),
        },
        { scenario: name, name: "RSS warm", unit: "MiB", rounds: pick(measured, ({ memory }) => memory) },
      ];
    },
  };
}

/** One round of load: by wrk where it is there, else by our own client. */
export async function ask(client: LoadClient, load: Load, settings: Settings): Promise<Answered> {
  const { connections, round } = settings.sizes;
  if (settings.usesTools && WRK !== null) {
    const answered = await runWrk(load, connections, round);
    if (answered.failed > 0) settings.note(`wrk: ${answered.failed} of ${answered.requests} requests failed`);
    return answered;
  }
  const begun = performance.now();
  const outcome = await client.run({ kind: "repeat", load, connections, ms: round });
  const seconds = (performance.now() - begun) / 1e3;
  return { requests: outcome.complete, seconds, failed: outcome.failed };
}
