import type { Slot } from "../limits/rate-limiter.ts";
import type { Visit } from "../targets/attempt-permit.ts";
import type { Target } from "../targets/route-table.ts";
import type { Batches, Call, ChatStream, Upstream } from "../contract/index.ts";
import { batchesOf } from "../answer/batches.ts";
import { WholeAnswer } from "../answer/answer-guard.ts";
import type { Errand } from "./dispatch-context.ts";
import { STREAMED, WHOLE } from "./deadlines.ts";
import { LentCall } from "./attempt-context.ts";

/** One try of one target. Whoever gets it says by `visit` how it ended. */
export interface Try {
  readonly target: Target;
  /** How many calls to upstreams this request has made, this one included. */
  readonly number: number;
  readonly visit: Visit;
  /** What it has taken of the upstream's limits, where it has any. The end of the visit gives it back. */
  readonly slot: Slot | undefined;
}

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
  readonly events: Batches;
}

/**
 * One try of one target, until its first event commits it. What comes back is the whole answer, which ends
 * honestly: it returns when the upstream finished it, and throws when it did not. Before that it throws an
 * UpstreamError, or the RequestError with which the request was aborted.
 */
export async function attempt(
  question: Question,
  { target, number, visit }: Try,
  { call, redact }: Around,
): Promise<BegunAnswer> {
  const { alwaysStreams } = target.upstream.upstream;
  const course = question.stream || alwaysStreams ? STREAMED : WHOLE;
  const lent = new LentCall({ target, number, visit, course, call, redact });
  try {
    const opening = question.ask(target.upstream.upstream, target.model, lent);
    const stream = isPromise(opening) ? await opened(opening, lent) : opening;
    const answer = new WholeAnswer(batchesOf(stream), question.choices, lent);
    lent.waitsIn(answer);
    const beginning = answer.begin();
    if (beginning) await beginning;
    lent.committed(answer);
    return { ignored: lent.ignoredNames, events: answer };
  } catch (error) {
    const failure = lent.explain(error);
    lent.ended(failure);
    throw failure;
  }
}

/** A plugin may give any object that can be awaited. */
function isPromise<T extends object>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise || "then" in value;
}

async function opened(opening: Promise<ChatStream>, lent: LentCall): Promise<ChatStream> {
  try {
    return await lent.orAborted(opening);
  } catch (error) {
    // One that comes too late is left at once.
    opening.then(leave).then(undefined, () => undefined);
    throw error;
  }
}

function leave(stream: ChatStream): Promise<unknown> | undefined {
  return batchesOf(stream).return?.();
}
