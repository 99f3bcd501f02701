import type { Outcome } from "../client/job.ts";
import type { Contender, ContenderName } from "../contenders/contender.ts";
import { exactness } from "../figure.ts";
import type { Figure } from "../figure.ts";
import { completeness, pick } from "../measure.ts";
import type { Order } from "../order.ts";
import { present } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { Stage } from "../stage.ts";
import { warmUp } from "../warm-up.ts";
import type { Scenario } from "./scenario.ts";

const PLAIN: Order = { kind: "plain", lane: 0, tokens: 300, interval: 0 };
const STREAM: Order = { kind: "burst", lane: 0, tokens: 100, interval: 0 };

/** One round: how long an answer takes, and how long the first text of a stream. */
interface LatencyRound {
  readonly plain: Outcome;
  readonly stream: Outcome;
  readonly exact: number;
}

/** Times at one connection. The contenders are asked in turns, request by request, so that they share all noise. */
export const latency: Scenario = {
  name: "latency",
  async run(settings) {
    await using stage = await Stage.open();
    const contenders = await stage.startAll(
      present(["direct", "nginx", "raw-bun", "modelyard", "portkey"], settings),
    );
    for (const order of [PLAIN, STREAM]) {
      const loadOf = ({ target }: Contender) => ({ target, order, bytes: 1024 });
      const gateways = contenders.filter(({ server }) => server !== undefined);
      await warmUp({ client: stage.client, contenders: gateways, loadOf }, settings);
    }
    const measured = new Map<ContenderName, LatencyRound[]>(contenders.map(({ name }) => [name, []]));
    for (let round = 0; round < settings.rounds; round++) {
      const found = await measureTurns(stage, contenders, settings);
      for (const [name, figures] of found) measured.get(name)?.push(figures);
    }
    return figuresOf(measured);
  },
};

async function measureTurns({ client }: Stage, contenders: readonly Contender[], settings: Settings) {
  const turns = (order: Order) => {
    const loads = contenders.map(({ target }) => ({ target, order, bytes: 1024 }));
    return client.all({ kind: "turns", loads, count: settings.sizes.turns });
  };
  const [plain, stream] = [await turns(PLAIN), await turns(STREAM)];
  return contenders.map((contender, index): [ContenderName, LatencyRound] => {
    const [ofPlain, ofStream] = [plain[index], stream[index]];
    if (!ofPlain || !ofStream) throw new Error(`the load client told nothing of ${contender.name}`);
    const exact = [ofPlain, ofStream].map((outcome) => completeness(contender, outcome, settings));
    return [contender.name, { plain: ofPlain, stream: ofStream, exact: Math.min(...exact) }];
  });
}

function figuresOf(measured: ReadonlyMap<ContenderName, readonly LatencyRound[]>): Figure[] {
  const scenario = latency.name;
  return [
    {
      scenario,
      name: "plain answer, p50",
      unit: "µs",
      rounds: pick(measured, ({ plain }) => plain.whole.p50 * 1e3),
      targets: [{ is: "at most", times: { "raw-bun": 1 }, plus: 150 }],
    },
    {
      scenario,
      name: "plain answer, p99",
      unit: "µs",
      rounds: pick(measured, ({ plain }) => plain.whole.p99 * 1e3),
    },
    {
      scenario,
      name: "first text of a stream, p50",
      unit: "µs",
      rounds: pick(measured, ({ stream }) => stream.first.p50 * 1e3),
      targets: [{ is: "at most", times: { "raw-bun": 1 }, plus: 400 }],
    },
    {
      scenario,
      name: "first text of a stream, p99",
      unit: "µs",
      rounds: pick(measured, ({ stream }) => stream.first.p99 * 1e3),
    },
    exactness(
      scenario,
      pick(measured, ({ exact }) => exact),
    ),
  ];
}
