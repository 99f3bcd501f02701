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

/** Whether a field can be recognized in the upstream's request. */
export type Arrival = "arrived" | "dropped" | "unclear";

/**
 * Compares three texts: two equal requests without the field, and one with it. Lines that differ between the first
 * two hold generated values, so only their shape is compared.
 */
export function arrivalIn(request: string, [first, second]: readonly [string, string]): Arrival {
  if (first === second) return request === first ? "dropped" : "arrived";
  const [one, other, own] = [linesOf(first), linesOf(second), linesOf(request)];
  const steady = one.intersection(other);
  if (!steady.isSubsetOf(own)) return "arrived";
  const [shapes, others] = [shapesOf(one.difference(steady)), shapesOf(other.difference(steady))];
  if (shapesOf(own.difference(steady)).isSubsetOf(shapes.union(others))) return "dropped";
  // A new shape shows the field only if equal requests have equal shapes.
  return shapes.symmetricDifference(others).size === 0 ? "arrived" : "unclear";
}

function linesOf(text: string): Set<string> {
  return new Set(text.split("\n"));
}

/** Replaces words with digits (tickets, counters, random ids), and keeps the names of fields. */
function shapesOf(lines: Set<string>): Set<string> {
  return new Set([...lines].map((line) => line.replaceAll(/[\w-]*\d[\w-]*/g, "#")));
}
