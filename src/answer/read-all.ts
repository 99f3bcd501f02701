import { isPending } from "../runtime/reusable-deferred.ts";
import type { AnswerBatches, AnswerEvent } from "./answer-event.ts";

/** Passes each event of an answer to `take`. Rejects with what the answer or `take` fails with; `take`'s failure leaves it. */
export async function readAll(answer: AnswerBatches, take: (event: AnswerEvent) => void): Promise<void> {
  for (;;) {
    const pending = answer.next();
    const next = isPending(pending) ? await pending : pending;
    if (next.done) return;
    try {
      for (const event of next.value) take(event);
    } catch (error) {
      await answer.return();
      throw error;
    }
  }
}
