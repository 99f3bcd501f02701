import { canonicalEvents } from "../answer/canonical-events.ts";
import type { CanonicalEvent, FinishReason } from "../contract/index.ts";
import type { EventBuffer } from "./event-buffer.ts";
import { BEGINNING } from "./event-buffer.ts";

const KEPT: ReadonlySet<FinishReason> = new Set<FinishReason>(["stop", "tool_calls", "length"]);

/** What goes with an answer, and is none. */
const NO_CONTENT = new Set(["extra_content", "reasoning_details"]);

/**
 * Returns whether an answer may be given again: each of its choices has content and was neither filtered nor blocked. A
 * client that got nothing repeats its request to get something.
 */
export function isWorthKeeping(events: EventBuffer): boolean {
  const choices = new Set<number>();
  for (let place = BEGINNING; ;) {
    const { batch, to } = events.read(place);
    if (batch.length === 0) return choices.size > 0;
    for (const event of canonicalEvents(batch)) {
      if (event.type === "finish") {
        if (!KEPT.has(event.reason) || !choices.has(event.choice ?? 0)) return false;
      } else if (hasContent(event)) choices.add(event.choice ?? 0);
    }
    place = to;
  }
}

function hasContent(event: CanonicalEvent): event is Exclude<CanonicalEvent, { type: "usage" }> {
  if (event.type === "text") return event.text !== "";
  if (event.type === "tool-call") return true;
  return (
    event.type === "extra" &&
    event.at === "delta" &&
    Object.keys(event.fields).some((name) => !NO_CONTENT.has(name))
  );
}
