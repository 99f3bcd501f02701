import type { Batches, ChatEvent, NextBatch } from "modelyard/plugin";

/** Batches for a loop, which leaves them when it is left. */
export async function* iterating(batches: Batches): AsyncGenerator<readonly ChatEvent[]> {
  try {
    for (let next = await batches.next(); !next.done; next = await batches.next()) yield next.value;
  } finally {
    await batches.return?.();
  }
}

/** What comes next, as a promise whichever way it comes. */
export async function nextOf(batches: Batches): Promise<NextBatch> {
  return batches.next();
}

/** All text to the end. */
export async function textIn(batches: Batches): Promise<string> {
  let text = "";
  for await (const batch of iterating(batches)) {
    for (const event of batch) if (event.type === "text") text += event.text;
  }
  return text;
}
