import type { AnswerBatches, AnswerEvent } from "./answer-event.ts";

/** Hands each event of an answer to `take`. Rejects with what the answer, or `take`, fails with; then the answer is left. */
export async function readAll(answer: AnswerBatches, take: (event: AnswerEvent) => void): Promise<void> {
  for (;;) {
    const coming = answer.next();
    const next = coming instanceof Promise ? await coming : coming;
    if (next.done) return;
    try {
      for (const event of next.value) take(event);
    } catch (error) {
      await answer.return();
      throw error;
    }
  }
}
