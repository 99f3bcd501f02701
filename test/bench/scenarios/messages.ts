import type { Load } from "../client/job.ts";
import type { Contender } from "../contenders/contender.ts";
import { messagesUpstream, NO_CACHE, startModelyard, stubUpstream } from "../contenders/modelyard.ts";
import { exactness } from "../figure.ts";
import type { Figure } from "../figure.ts";
import { completeness, costOf, interleaved, pick } from "../measure.ts";
import { eventsOf } from "../order.ts";
import type { Order } from "../order.ts";
import type { Settings } from "../settings.ts";
import { Stage } from "../stage.ts";
import { warmUp } from "../warm-up.ts";
import type { Scenario } from "./scenario.ts";

const ORDER: Order = { kind: "burst", lane: 0, tokens: 100, interval: 0 };

/** What a stream of Anthropic's Messages API costs beside the same as a chat: as it comes, and translated. */
export const messages: Scenario = {
  name: "messages",
  async run(settings) {
    return [
      ...(await measure("native", { upstream: messagesUpstream, most: 1.15, settings })),
      ...(await measure("translated", { upstream: stubUpstream, most: 1.5, settings })),
    ];
  },
};

interface Way {
  /** The part of gateway.yaml that leads to the stub. */
  readonly upstream: (stubUrl: string) => string;
  /** How many times the chat's cost it may take. */
  readonly most: number;
  readonly settings: Settings;
}

async function measure(name: string, { upstream, most, settings }: Way): Promise<Figure[]> {
  const { connections, round } = settings.sizes;
  await using stage = await Stage.open();
  const { client, stubUrl } = stage;
  const chat = await stage.start("modelyard-chat");
  const contenders = [chat, stage.own(await startModelyard("modelyard", NO_CACHE + upstream(stubUrl)))];
  const loadOf = ({ target, ...contender }: Contender): Load => ({
    target,
    order: ORDER,
    bytes: 1024,
    api: contender.name === "modelyard" ? "messages" : "chat",
  });
  await warmUp({ client, contenders, loadOf }, settings);
  const measured = await interleaved(contenders, settings.rounds, async (contender) => {
    const work = () => client.run({ kind: "repeat", load: loadOf(contender), connections, ms: round });
    const { result, cpu } = await costOf(contender, work, settings);
    return {
      cpu: cpu / (result.complete * eventsOf(ORDER)),
      exact: completeness(contender, result, settings),
    };
  });
  return [
    {
      scenario: messages.name,
      name: `CPU per event, ${name}, ${eventsOf(ORDER)} sent at once`,
      unit: "µs",
      rounds: pick(measured, ({ cpu }) => cpu),
      targets: [{ is: "at most", times: { "modelyard-chat": most } }],
    },
    exactness(
      messages.name,
      pick(measured, ({ exact }) => exact),
    ),
  ];
}
