import { Receiver, SERVICE_ROUTE, serviceUpstream, startService } from "../contenders/langfast.ts";
import { NO_CACHE, startModelyard } from "../contenders/modelyard.ts";
import { exactness } from "../figure.ts";
import { costOf, interleaved, pick } from "../measure.ts";
import { eventsOf, LANES, messagesOf } from "../order.ts";
import type { Order } from "../order.ts";
import { Stage } from "../stage.ts";
import { measurePaced, PACE } from "./paced.ts";
import type { Scenario } from "./scenario.ts";

/** Paced streams over the sockets of the langfast plugin, beside a process that only receives the same frames. */
export const langfast: Scenario = {
  name: "langfast",
  async run(settings) {
    const { langfastStreams: count, pacedTokens: tokens } = settings.sizes;
    await using stage = await Stage.open();
    const service = stage.own(await startService());
    const gateway = stage.own(
      await startModelyard("modelyard", `${NO_CACHE}upstreams:${serviceUpstream(service)}${SERVICE_ROUTE}`),
    );
    const rawBun = await stage.start("raw-bun");
    const streams = await measurePaced(stage.client, [rawBun, gateway], { settings, count });
    const receiver = stage.own(await Receiver.start(service));
    // The service's last chunk is its finish and usage too; one more frame says that the run is over.
    const frames = tokens + 1;
    const messages = Array.from({ length: count }, (_, number) => {
      const order: Order = { kind: "paced", lane: number % LANES, tokens, interval: PACE };
      return messagesOf(order, 1024);
    });
    const received = await interleaved([receiver.contender], settings.rounds, (contender) =>
      costOf(
        contender,
        () => receiver.receive(messages, { ramp: settings.sizes.ramp, frames: count * frames }),
        settings,
      ),
    );
    const perEvent = pick(streams, ({ cpu }) => cpu);
    const scenario = langfast.name;
    return [
      {
        scenario,
        name: `CPU per event, ${count} streams`,
        unit: "µs",
        rounds: {
          ...perEvent,
          modelyard: (perEvent.modelyard ?? []).map((cpu) => (cpu * eventsOf({ tokens })) / frames),
          ...pick(received, ({ cpu }) => cpu / (count * frames)),
        },
        targets: [{ is: "at most", times: { "socket.io-client": 1, "raw-bun": 1.2 } }],
      },
      exactness(
        scenario,
        pick(streams, ({ exact }) => exact),
      ),
    ];
  },
};
