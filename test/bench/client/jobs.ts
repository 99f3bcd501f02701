import { Asker } from "./asker.ts";
import type { Job, Load, Outcome } from "./job.ts";
import { Tally } from "./tally.ts";

type JobOf<Kind extends Job["kind"]> = Extract<Job, { kind: Kind }>;

/** Does a job; gives one outcome, or for `turns` one for each target. */
export async function carryOut(job: Job): Promise<readonly Outcome[]> {
  switch (job.kind) {
    case "repeat":
      return [await repeat(job)];
    case "streams":
      return [await streams(job)];
    case "turns":
      return turns(job);
    case "leave":
      return [await leave(job)];
  }
}

async function repeat({ load, connections, ms, count = Infinity }: JobOf<"repeat">): Promise<Outcome> {
  const end = performance.now() + ms;
  let asked = 0;
  return withAskers(load, connections, async (asker) => {
    while (asked++ < count && performance.now() < end) await asker.ask();
  });
}

async function streams({ load, count, ramp }: JobOf<"streams">): Promise<Outcome> {
  return withAskers(load, count, async (asker, number) => {
    await Bun.sleep((ramp * number) / count);
    await asker.ask();
  });
}

async function turns({ loads, count }: JobOf<"turns">): Promise<readonly Outcome[]> {
  const askers = loads.map((load) => new Asker(load, 0));
  for (let turn = 0; turn < count; turn++) {
    for (const asker of askers) await asker.ask();
  }
  for (const asker of askers) asker.close();
  return askers.map(({ tally }) => tally.outcome);
}

async function leave({ load, connections, count }: JobOf<"leave">): Promise<Outcome> {
  let asked = 0;
  return withAskers(load, connections, async (asker) => {
    while (asked++ < count) await (asked % 2 === 0 ? asker.ask() : asker.leave());
  });
}

async function withAskers(
  load: Load,
  count: number,
  work: (asker: Asker, number: number) => Promise<void>,
): Promise<Outcome> {
  const tally = new Tally();
  const askers = askersFor(load, count, tally);
  await Promise.all(askers.map(work));
  for (const asker of askers) asker.close();
  return tally.outcome;
}

function askersFor(load: Load, count: number, tally: Tally): Asker[] {
  return Array.from({ length: count }, (_, number) => new Asker(load, number, tally));
}
