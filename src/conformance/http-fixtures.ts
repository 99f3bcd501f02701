import { setImmediate as turn } from "node:timers/promises";
import type { Json, JsonObject } from "../contract/index.ts";
import type { Fixtures } from "./fixtures.ts";
import { httpUpstream } from "./http-upstream.ts";
import type { HttpReply, HttpRequest } from "./http-upstream.ts";
import { pause } from "./waiting.ts";
import type { Answer, Scenario, ScenarioName } from "./scenarios.ts";

/** How an upstream speaks HTTP: what it says in its own words; how it breaks is the kit's affair. */
export interface HttpSetup extends Pick<Fixtures, "model" | "unsupported" | "handled" | "translated"> {
  /** The plugin's options for an upstream at this address, which has no slash at its end. */
  options(url: string): JsonObject;
  /** An answer as it is streamed, in pieces. The last piece is all that says that it is whole. */
  stream?(answer: Answer): readonly string[];
  /** The same where the finish reason stands in the middle, and at the end once more; for formats that allow it. */
  early?(answer: Answer): readonly string[];
  /** The same with the last text and the finish reason in one piece; for formats that allow it. */
  joined?(answer: Answer): readonly string[];
  /** The content type of streams. Default `text/event-stream`. */
  readonly streamType?: string;
  /** An answer that isn't streamed. Without it every answer is streamed. */
  plain?(answer: Answer): Json;
  /** The piece by which a stream says that it has failed. */
  failure?(complaint: string): string;
  /** The body of a 400 by which a filter refuses the prompt. Default `error` with the code `content_filter`. */
  filtered?(complaint: string): Json;
  /** The body of a 401, 402, 413, 429 or 500. Default `{"error": {"message": complaint}}`. */
  error?(complaint: string, status: number): Json;
  /** Whether a request asks for a stream. Default: its JSON body has `stream: true`. */
  isStreamed?(request: HttpRequest): boolean;
  /**
   * One page of the list of models. `next` asks for the page after it; it is looked for in the address of a request,
   * and undefined on the last page.
   */
  page?(ids: readonly string[], next: string | undefined): Json;
  /** The answer to every GET; a list of models, mostly. Default `{}`. */
  readonly models?: Json;
}

/** Fixtures for a plugin whose upstream answers each chat with one HTTP request, streamed or not. */
export function httpFixtures(setup: HttpSetup): Fixtures {
  return {
    model: setup.model,
    unsupported: { ...lacking(setup), ...setup.unsupported },
    streams: setup.stream !== undefined,
    handled: setup.handled ?? {},
    translated: setup.translated ?? {},
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
    ...(!setup.early && { "early-finish": "the fixtures give no `early`: its finish reason is its end" }),
    ...(!setup.joined && {
      joined: "the fixtures give no `joined`: its finish reason is a piece of its own",
    }),
    ...(!setup.page && { pages: "the fixtures give no `page`: its list of models comes whole" }),
    ...(setup.error &&
      !setup.filtered && {
        filtered: "the fixtures give no `filtered`: it refuses no prompt for what it says",
      }),
    ...(!setup.stream && { "2.8 incremental": WHOLE, endless: WHOLE }),
  };
}

const WHOLE = "the fixtures give no `stream`: an answer comes whole";

interface Exchange {
  readonly request: HttpRequest;
  readonly reply: HttpReply;
}

async function respond(setup: HttpSetup, scenario: Scenario, { request, reply }: Exchange): Promise<void> {
  if (scenario.name === "silent") return;
  const refusal = STATUSES[scenario.name];
  if (request.method === "GET") return respondJson(reply, listFor(setup, scenario, request));
  if (refusal !== undefined) return refuse(setup, scenario, { reply, status: refusal });
  const streamed = setup.stream && (!setup.plain || asksForStream(setup, request));
  const type = streamed ? (setup.streamType ?? "text/event-stream") : "application/json";
  const whole = streamed ? streamOf(setup, scenario) : halves(JSON.stringify(setup.plain?.(scenario.answer)));
  reply.head(200, { "content-type": type });
  await play(whole ?? [], {
    scenario,
    reply,
    failure: streamed ? setup.failure?.(scenario.complaint) : undefined,
  });
}

function streamOf(setup: HttpSetup, { name, answer }: Scenario): readonly string[] | undefined {
  if (name === "early-finish") return setup.early?.(answer);
  return name === "joined" ? setup.joined?.(answer) : setup.stream?.(answer);
}

function asksForStream(setup: HttpSetup, request: HttpRequest): boolean {
  if (setup.isStreamed) return setup.isStreamed(request);
  return (request.json as JsonObject | undefined)?.["stream"] === true;
}

/** All models, or the page that the address names. */
function listFor(setup: HttpSetup, { name, pages }: Scenario, { path }: HttpRequest): Json {
  if (name !== "pages" || !setup.page) return setup.models ?? {};
  const tokenOf = (place: number) => (place < pages.length ? `after-page-${place}` : undefined);
  const asked = Math.max(
    0,
    pages.findIndex((_, place) => place > 0 && path.includes(tokenOf(place) ?? "")),
  );
  return setup.page(pages[asked] ?? [], tokenOf(asked + 1));
}

/** A plain answer's last half is what says that it is whole. */
function halves(body: string): readonly string[] {
  const middle = Math.floor(body.length / 2);
  return [body.slice(0, middle), body.slice(middle)];
}

const STATUSES: { readonly [name in ScenarioName]?: number } = {
  filtered: 400,
  refused: 401,
  spent: 402,
  oversized: 413,
  limited: 429,
  broken: 500,
};
const SAYING_WHEN: readonly ScenarioName[] = ["limited", "spent"];

function refuse(
  setup: HttpSetup,
  scenario: Scenario,
  { reply, status }: { reply: HttpReply; status: number },
): void {
  const { complaint, retryAfterSeconds } = scenario;
  const isFiltered = scenario.name === "filtered";
  const body =
    (isFiltered ? setup.filtered?.(complaint) : setup.error?.(complaint, status)) ??
    ({ error: { message: complaint, ...(isFiltered && { code: "content_filter" }) } } as Json);
  const headers = SAYING_WHEN.includes(scenario.name) ? { "retry-after": String(retryAfterSeconds) } : {};
  respondJson(reply, body, { status, headers });
}

function respondJson(
  reply: HttpReply,
  body: Json,
  {
    status = 200,
    headers = {},
  }: { readonly status?: number; readonly headers?: Record<string, string> } = {},
): void {
  reply.head(status, { "content-type": "application/json", ...headers });
  reply.end(JSON.stringify(body));
}

interface Performance {
  readonly scenario: Scenario;
  readonly reply: HttpReply;
  readonly failure: string | undefined;
}

/** What comes after the first half, or in place of the second. */
async function play(pieces: readonly string[], { scenario, reply, failure }: Performance): Promise<void> {
  const half = pieces.slice(0, Math.ceil(pieces.length / 2));
  const { name } = scenario;
  if (name === "begun") return;
  if (name === "split") return singly(pieces, reply);
  if (name === "endless") return forEver(pieces, reply);
  const said = name === "end" ? pieces.slice(0, -1) : BREAKING.has(name) ? half : pieces;
  await say(said, reply);
  if (name === "stall") return;
  if (name === "cut") return reply.reset();
  if (name === "garbage") return reply.end(GARBAGE);
  reply.end(name === "failing" ? failure : "");
}

const BREAKING: ReadonlySet<ScenarioName> = new Set<ScenarioName>(["stall", "cut", "garbage", "failing"]);

// For a parser of event streams, of lines and of JSON alike.
const GARBAGE = "data: }{ \u0000 <html>Bad gateway</html>\n\n}{\n";

/** Each piece in a packet of its own, as far as that can be had. */
async function say(pieces: readonly string[], reply: HttpReply): Promise<void> {
  for (const piece of pieces) {
    await reply.write(piece);
    await turn();
  }
}

/** A packet ends after each byte of a character that has several, and is on its way before the next one. */
async function singly(pieces: readonly string[], reply: HttpReply): Promise<void> {
  const bytes = Buffer.from(pieces.join(""));
  let start = 0;
  for (const [place, byte] of bytes.entries()) {
    if (byte < FIRST_OF_MANY) continue;
    await reply.write(bytes.subarray(start, place + 1));
    await pause(PACKET_MS);
    start = place + 1;
  }
  await reply.write(bytes.subarray(start));
  reply.end();
}

// In UTF-8 every byte of a character that has several is at least this one.
const FIRST_OF_MANY = 0x80;
const PACKET_MS = 3;

/** The beginning once, and then a piece from the middle again and again. */
async function forEver(pieces: readonly string[], reply: HttpReply): Promise<void> {
  const half = Math.floor(pieces.length / 2);
  await say(pieces.slice(0, half), reply);
  for (let count = 0; !reply.signal.aborted; count++) {
    await reply.write(pieces[half] ?? "");
    if (count % 16 === 0) await turn();
  }
}
