import { UpstreamError } from "../../../src/contract/index.ts";
import type { ChatRequest } from "../../../src/contract/index.ts";
import type { CollectedAnswer } from "../harness/test-request.ts";
import type { Play } from "../harness/harness.ts";

/** What became of one thing that was asked for. */
export interface Delivery {
  /** The upstream's requests, without what differs between two that ask for the same. */
  readonly received: string;
  /** All of them. */
  readonly sent: string;
  readonly ignored: readonly string[];
  readonly outcome: CollectedAnswer;
}

/** Asks, and looks at what the upstream was sent. */
export async function deliver({ played, ask }: Play, more: Partial<ChatRequest>): Promise<Delivery> {
  const before = played.received.length;
  const request = ask(more);
  // What the upstream answers doesn't matter here: it plays its scenario, whatever was asked.
  await request.readAll();
  const sent = played.received.slice(before);
  const received = sent.map(withoutVolatileParts).join("\n");
  return {
    received,
    sent: sent.join("\n"),
    ignored: [...request.call.ignored.keys()],
    outcome: request.answer,
  };
}

// What differs between two requests that ask for the same: ids, times, lengths.
function withoutVolatileParts(request: string): string {
  return request
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, "<id>")
    .replaceAll(/\b\d{9,}\b/g, "<number>")
    .replaceAll(/^content-length: .*$/gim, "");
}

/** Whether it was named as ignored or refused, by this field or a part of it. */
export function isReported(name: string, { ignored, outcome }: Delivery): boolean {
  const isIt = (told: string) => told === name || told.startsWith(`${name}.`) || told.startsWith(`${name}[`);
  const refusal = UpstreamError.is(outcome.error) ? outcome.error : undefined;
  const isRefusal = refusal?.code === "unsupported" || refusal?.code === "bad-request";
  return ignored.some(isIt) || (isRefusal && isIt(refusal.param ?? ""));
}
