import type { ChatEvent, Usage } from "../contract/index.ts";
import type { Gateway } from "../state/gateway.ts";
import type { OpenUpstream } from "../state/open-upstream.ts";
import type { LimitRefusal, Slot } from "../state/rate-limiter.ts";
import type { RequestEstimate } from "../state/token-estimate.ts";
import { TokenTally, within } from "../state/token-estimate.ts";

/** What a call takes of its upstream's limits; undefined where it has none, which is nearly always. */
export function takeUpstreamSlot(
  { id, limits }: OpenUpstream,
  needed: () => RequestEstimate,
  { upstreamLimiter }: Gateway,
): Slot | LimitRefusal | undefined {
  if (!limits) return undefined;
  const { tokens_per_minute: limit } = limits;
  const { input, output } = limit === undefined ? NOTHING : within(limit, needed());
  return upstreamLimiter.admit({ id, limits }, input + output);
}

const NOTHING = { input: 0, output: 0 };

/** The answer's events as they are; at their end the slot is settled with the tokens that they told of, or were. */
export async function* settling(
  events: AsyncIterable<readonly ChatEvent[]>,
  slot: Slot,
  { input: estimated }: RequestEstimate,
): AsyncGenerator<readonly ChatEvent[]> {
  const said = new TokenTally();
  let told: Usage = {};
  try {
    for await (const batch of events) {
      for (const event of batch) {
        if (event.type === "usage") told = { ...told, ...event.usage };
        else if (event.type === "text" || event.type === "reasoning") said.add(event.text);
        else if (event.type === "tool-call") said.add((event.name ?? "") + (event.arguments ?? ""));
      }
      yield batch;
    }
  } finally {
    slot.settle((told.input ?? estimated) + (told.output ?? said.tokens));
  }
}
