import type { ChatEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { checkEvent } from "./check-event.ts";
import { Tidy } from "./tidy.ts";

/** More events than these behind the end are no usage: the upstream goes on, and is left. */
const MAX_AFTER_END = 100;

export interface WholeOptions {
  /** How many choices the client asked for. */
  readonly choices: number;
  /** Told once when every expected choice has had its finish: only usage can still follow. */
  readonly finished: () => void;
  /** Told of a failure that came after the end and cost at most the usage. */
  readonly late: (error: unknown) => void;
}

/**
 * Lets an answer end in exactly one of two ways: it returns when each of its choices has had the upstream's
 * own terminal mark, and throws otherwise. A source that merely stops is an UpstreamError `truncated`; an event
 * that is none in the contract's sense is a TypeError.
 */
export async function* whole(
  source: AsyncIterable<ChatEvent>,
  options: WholeOptions,
): AsyncGenerator<ChatEvent> {
  const tidy = new Tidy();
  let told = false;
  let afterEnd = 0;
  try {
    for await (const event of source) {
      checkEvent(event);
      const clean = tidy.push(event);
      if (told && tidy.complete && (afterEnd += 1) > MAX_AFTER_END) {
        throw new Error("the upstream goes on after its end");
      }
      if (!told && tidy.complete && tidy.finished >= options.choices) {
        told = true;
        options.finished();
      }
      if (clean) yield clean;
    }
  } catch (error) {
    if (!tidy.complete || tidy.finished < options.choices) throw error;
    options.late(error);
    return;
  }
  if (!tidy.complete) throw new UpstreamError("truncated", "the upstream's answer broke off before its end");
}
