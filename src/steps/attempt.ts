import type { Call, ChatEvent, ChatStream, Upstream } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import type { Peeked } from "../flow/peek.ts";
import { batchesOf } from "../flow/batches.ts";
import { checkEvent } from "../flow/check-event.ts";
import { peek } from "../flow/peek.ts";
import { watch } from "../flow/watch.ts";
import { whole } from "../flow/whole.ts";
import type { Errand } from "../state/errand.ts";
import { LentCall } from "./lent-call.ts";
import type { Try } from "./try-targets.ts";

// More chunk-level extras than this before the first word is not an answer.
const MAX_BEFORE_COMMIT = 1_000;

/** What is asked of an upstream that answers in events. */
export interface Question {
  readonly stream: boolean;
  /** How many answers are expected. */
  readonly choices: number;
  ask(upstream: Upstream, model: string, call: Call): ChatStream | Promise<ChatStream>;
}

interface Around {
  readonly call: Errand;
  readonly redact: (text: string) => string;
}

/** An answer that has begun. */
export interface BegunAnswer {
  /** Names of parameters that the upstream could not honour. */
  readonly ignored: readonly string[];
  /** Those together that arrived together. */
  readonly events: AsyncIterable<readonly ChatEvent[]>;
}

/**
 * One try of one target, until its first event commits it. What comes back is the whole answer, which ends
 * honestly: it returns when the upstream finished it, and throws when it did not. Before that it throws an
 * UpstreamError, or the RequestError with which the request was aborted.
 */
export async function attempt(
  question: Question,
  { target, number, visit }: Try,
  around: Around,
): Promise<BegunAnswer> {
  const deadlines = question.stream ? (["first_event", "idle", "total"] as const) : (["total"] as const);
  const lent = new LentCall({ target, number, visit, deadlines, ...around });
  try {
    const opening = (async () => question.ask(target.upstream.upstream, target.model, lent))();
    const stream = await lent.orAborted(opening).catch((error: unknown) => {
      // One that comes too late is left at once.
      opening.then(leave).then(undefined, () => undefined);
      throw error;
    });
    const peeked = await committed(stream, lent);
    return { ignored: lent.ignoredNames, events: untilItsEnd(peeked, question.choices, lent) };
  } catch (error) {
    const failure = lent.explain(error);
    lent.ended(failure);
    throw failure;
  }
}

/** Waits for the event that commits. */
async function committed(stream: ChatStream, lent: LentCall): Promise<Peeked<readonly ChatEvent[]>> {
  const events = watch(batchesOf(stream), lent.signal);
  const tooMany = () => new UpstreamError("bad-response", "the upstream's answer doesn't begin");
  const peeked = await peek(events, commits, { limit: MAX_BEFORE_COMMIT, tooMany });
  if (!peeked) throw new UpstreamError("truncated", "the upstream ended without an answer");
  lent.committed(() => events.waiting);
  return peeked;
}

/** Every event except usage and an extra about the whole answer is part of an answer that can't be taken back. */
function commits(batch: readonly ChatEvent[]): boolean {
  return batch.some((event) => {
    checkEvent(event);
    return event.type !== "usage" && !(event.type === "extra" && event.at === "chunk");
  });
}

/** The answer from its first event on, which ends the attempt when it ends. */
function untilItsEnd(
  peeked: Peeked<readonly ChatEvent[]>,
  choices: number,
  lent: LentCall,
): AsyncIterableIterator<readonly ChatEvent[]> {
  return whole(peeked, {
    choices,
    finished: () => lent.finished(),
    late: (error) => {
      lent.log.warn("the upstream failed after its answer was complete");
      lent.log.debug("what the upstream said after its answer", { error: String(error) });
    },
    ended: (error) => {
      const failure = error === undefined ? undefined : lent.explain(error);
      lent.ended(failure);
      return failure;
    },
  });
}

function leave(stream: ChatStream): Promise<unknown> | undefined {
  return batchesOf(stream).return?.();
}
