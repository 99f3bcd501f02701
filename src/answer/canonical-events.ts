import type { CanonicalEvent, ChatEvent } from "../contract/index.ts";

/** Returns a batch with the events of its frames in place of them. */
export function canonicalEvents(batch: readonly ChatEvent[]): readonly CanonicalEvent[] {
  return batch.flatMap((event) => (event.type === "native" ? event.events : event));
}
