import type { Load } from "./client/job.ts";
import type { Contender } from "./contenders/contender.ts";
import type { LoadClient } from "./load-client.ts";
import { completeness } from "./measure.ts";
import type { Order } from "./order.ts";
import type { Settings } from "./settings.ts";

/** What each contender is asked before it is measured. */
export interface WarmUp {
  readonly client: LoadClient;
  readonly contenders: readonly Contender[];
  readonly loadOf: (contender: Contender) => Load;
}

/**
 * Asks each contender so often that what it runs is compiled by the last of the engine's tiers, which takes tens
 * of thousands of calls: a count, since in the same seconds a quick one would be warmer than a slow one. All
 * answers are checked.
 */
export async function warmUp({ client, contenders, loadOf }: WarmUp, settings: Settings): Promise<void> {
  const { connections } = settings.sizes;
  const { within: ms } = settings.sizes.warmUp;
  for (const contender of contenders) {
    const load = loadOf(contender);
    const count = countOf(load.order, settings);
    const outcome = await client.run({ kind: "repeat", load, connections, ms, count });
    completeness(contender, outcome, settings);
  }
}

/** A stream has some hundred events, each of which is a call of its own. */
function countOf({ kind }: Order, { sizes }: Settings): number {
  return kind === "plain" ? sizes.warmUp.plain : sizes.warmUp.streams;
}
