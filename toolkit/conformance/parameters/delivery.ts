import { UpstreamError } from "../../../src/contract/index.ts";
import type { ChatRequest } from "../../../src/contract/index.ts";
import type { CollectedAnswer } from "../harness/test-request.ts";
import type { Play } from "../harness/harness.ts";

/** What happened to a request on its way to the upstream. */
export interface Delivery {
  /** The requests that the upstream received, without what differs between equal requests. */
  readonly received: string;
  /** The same requests unchanged. */
  readonly sent: string;
  readonly ignored: readonly string[];
  readonly outcome: CollectedAnswer;
}

/** Sends a request and returns what the upstream received. */
export async function deliver({ played, ask }: Play, more: Partial<ChatRequest>): Promise<Delivery> {
  const before = played.received.length;
  const request = ask(more);
  // The answer doesn't matter: the upstream plays its scenario for any request.
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

// Removes what differs between equal requests: ids, times, lengths.
function withoutVolatileParts(request: string): string {
  return request
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, "<id>")
    .replaceAll(/\b\d{9,}\b/g, "<number>")
    .replaceAll(/^content-length: .*$/gim, "");
}

/** Returns whether a field or a part of it was reported as ignored or refused. */
export function isReported(name: string, { ignored, outcome }: Delivery): boolean {
  const isIt = (told: string) => told === name || told.startsWith(`${name}.`) || told.startsWith(`${name}[`);
  const refusal = UpstreamError.is(outcome.error) ? outcome.error : undefined;
  const isRefusal = refusal?.code === "unsupported" || refusal?.code === "bad-request";
  return ignored.some(isIt) || (isRefusal && isIt(refusal.param ?? ""));
}
