import { setImmediate as turn } from "node:timers/promises";
import type { Json, JsonObject } from "../contract/index.ts";
import type { Fixtures } from "./fixtures.ts";
import { httpUpstream } from "./http-upstream.ts";
import type { HttpReply, HttpRequest } from "./http-upstream.ts";
import type { Answer, Scenario } from "./scenarios.ts";

/** How an upstream speaks HTTP: what it says in its own words; how it breaks is the kit's affair. */
export interface HttpSetup extends Pick<Fixtures, "model" | "unsupported" | "handled"> {
  /** The plugin's options for an upstream at this address, which has no slash at its end. */
  options(url: string): JsonObject;
  /** An answer as it is streamed, in pieces. The last piece is all that says that it is whole. */
  stream?(answer: Answer): readonly string[];
  /** The content type of streams. Default `text/event-stream`. */
  readonly streamType?: string;
  /** An answer that isn't streamed. Without it every answer is streamed. */
  plain?(answer: Answer): Json;
  /** The piece by which a stream says that it has failed. */
  failure?(complaint: string): string;
  /** The body of a 401, 429 or 500. Default `{"error": {"message": complaint}}`. */
  error?(complaint: string, status: number): Json;
  /** Whether a request asks for a stream. Default: its JSON body has `stream: true`. */
  isStreamed?(request: HttpRequest): boolean;
  /** The answer to every GET; a list of models, mostly. Default `{}`. */
  readonly models?: Json;
}

const JSON_TYPE = { "content-type": "application/json" };

/** Fixtures for a plugin whose upstream answers each chat with one HTTP request, streamed or not. */
export function httpFixtures(setup: HttpSetup): Fixtures {
  return {
    model: setup.model,
    unsupported: { ...lacking(setup), ...setup.unsupported },
    handled: setup.handled ?? {},
    upstream: (scenario) =>
      httpUpstream({
        options: (url) => setup.options(url),
        respond: (request, reply) => respond(setup, scenario, { request, reply }),
      }),
  };
}

function lacking(setup: HttpSetup): Record<string, string> {
  return {
    ...(!setup.failure && { failing: "the fixtures give no `failure`: it can't fail within a stream" }),
    ...(!setup.stream && { "2.8 incremental": "the upstream doesn't stream" }),
  };
}

interface Exchange {
  readonly request: HttpRequest;
  readonly reply: HttpReply;
}

async function respond(setup: HttpSetup, scenario: Scenario, { request, reply }: Exchange): Promise<void> {
  if (scenario.name === "silent") return;
  const refusal = STATUSES[scenario.name];
  if (request.method === "GET") return respondJson(reply, 200, setup.models ?? {});
  if (refusal !== undefined) return refuse(setup, scenario, { reply, status: refusal });
  const asksForStream =
    setup.isStreamed ?? ((asked) => (asked.json as JsonObject | undefined)?.["stream"] === true);
  const streamed = setup.stream && (!setup.plain || asksForStream(request));
  const type = streamed ? (setup.streamType ?? "text/event-stream") : "application/json";
  const whole = streamed
    ? setup.stream?.(scenario.answer)
    : halves(JSON.stringify(setup.plain?.(scenario.answer)));
  reply.head(200, { "content-type": type });
  await play(whole ?? [], {
    scenario,
    reply,
    failure: streamed ? setup.failure?.(scenario.complaint) : undefined,
  });
}

/** A plain answer's last half is what says that it is whole. */
function halves(body: string): readonly string[] {
  const middle = Math.floor(body.length / 2);
  return [body.slice(0, middle), body.slice(middle)];
}

const STATUSES: { readonly [name: string]: number } = { refused: 401, limited: 429, broken: 500 };

function refuse(
  setup: HttpSetup,
  scenario: Scenario,
  { reply, status }: { reply: HttpReply; status: number },
): void {
  const { complaint, retryAfterSeconds } = scenario;
  const body = setup.error?.(complaint, status) ?? { error: { message: complaint } };
  const headers = status === 429 ? { "retry-after": String(retryAfterSeconds) } : {};
  respondJson(reply, status, body, headers);
}

function respondJson(
  reply: HttpReply,
  status: number,
  body: Json,
  headers: Record<string, string> = {},
): void {
  reply.head(status, { ...JSON_TYPE, ...headers });
  reply.end(JSON.stringify(body));
}

interface Performance {
  readonly scenario: Scenario;
  readonly reply: HttpReply;
  readonly failure: string | undefined;
}

/** What comes after the first half, or in place of the second. */
async function play(pieces: readonly string[], { scenario, reply, failure }: Performance): Promise<void> {
  const half = Math.ceil(pieces.length / 2);
  switch (scenario.name) {
    case "begun":
      return;
    case "split":
      return singly(pieces, reply);
    case "endless":
      return forEver(pieces, reply);
    case "stall":
      return say(pieces.slice(0, half), reply);
    case "end":
      await say(pieces.slice(0, -1), reply);
      return reply.end();
    case "cut":
      await say(pieces.slice(0, half), reply);
      await turn();
      return reply.reset();
    case "garbage":
      await say(pieces.slice(0, half), reply);
      return reply.end(GARBAGE);
    case "failing":
      await say(pieces.slice(0, half), reply);
      return reply.end(failure ?? "");
    default:
      await say(pieces, reply);
      reply.end();
  }
}

// For a parser of event streams, of lines and of JSON alike.
const GARBAGE = "data: }{ \u0000 <html>Bad gateway</html>\n\n}{\n";

/** Each piece in a packet of its own, as far as that can be had. */
async function say(pieces: readonly string[], reply: HttpReply): Promise<void> {
  for (const piece of pieces) {
    await reply.write(piece);
    await turn();
  }
}

async function singly(pieces: readonly string[], reply: HttpReply): Promise<void> {
  for (const byte of Buffer.from(pieces.join(""))) {
    await reply.write(Uint8Array.of(byte));
    await turn();
  }
  reply.end();
}

/** The beginning once, and then a piece from the middle again and again. */
async function forEver(pieces: readonly string[], reply: HttpReply): Promise<void> {
  const half = Math.floor(pieces.length / 2);
  await say(pieces.slice(0, half), reply);
  for (let count = 0; !reply.signal.aborted; count++) {
    await reply.write(pieces[half] ?? "");
    if (count % 16 === 0) await turn();
  }
}
