import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { join } from "node:path";
import { CodeProcess, GatewayFolder, startMain } from "./gateway-process.ts";
import type { Random } from "./random.ts";
import { until } from "./until.ts";

/** What each answer of the stub costs. */
export const TOKENS = 8;
const CLIENTS = 40;
const COMPLETION = {
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: TOKENS },
};
const STREAM = [
  { ...COMPLETION, usage: undefined, choices: [{ index: 0, delta: { content: "Hello" } }] },
  { ...COMPLETION, usage: undefined, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  { ...COMPLETION, choices: [] },
];

/** An upstream that keeps a record of the users it was asked for. */
export interface RecordingStub extends Disposable {
  readonly url: string;
  readonly asked: ReadonlySet<string>;
}

export function startRecordingStub(): RecordingStub {
  const asked = new Set<string>();
  const frames = STREAM.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { user, stream } = (await request.json()) as { user: string; stream?: boolean };
      asked.add(user);
      if (stream !== true) return Response.json(COMPLETION);
      return new Response(`${frames}data: [DONE]\n\n`, { headers: { "content-type": "text/event-stream" } });
    },
  });
  return { url: server.url.origin, asked, [Symbol.dispose]: () => void server.stop(true) };
}

export const keyOf = (name: string): string => `sk-killed-${name}-0123456789`;

/** A gateway in front of the stub, with these keys. */
export function folderFor(stub: RecordingStub, keys: readonly { readonly name: string }[]): GatewayFolder {
  const openai = { plugin: "openai", options: { base_url: `${stub.url}/v1`, models: ["m"] } };
  return new GatewayFolder(
    [
      "server: { port: 0 }",
      "telemetry: { level: error }",
      "storage: { database: 'sqlite:./ledger.db' }",
      `keys: ${JSON.stringify(keys.map((key) => ({ ...key, key: keyOf(key.name) })))}`,
      `upstreams: ${JSON.stringify({ stub: openai })}`,
    ].join("\n"),
  );
}

export interface Asked {
  readonly key: string;
  /** The request's id, and the user that the stub is told. */
  readonly id: string;
  readonly stream: boolean;
}

/** Asks once. Returns the status of an answer that came whole; undefined: the connection broke. */
export async function ask(url: string, { key, id, stream }: Asked): Promise<number | undefined> {
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${keyOf(key)}`, "x-request-id": id },
      body: JSON.stringify({
        model: "m",
        user: id,
        stream,
        max_tokens: 3,
        messages: [{ role: "user", content: "Hi" }],
      }),
    });
    const text = await response.text();
    if (response.status !== 200) return response.status;
    return text.includes(stream ? "data: [DONE]" : '"total_tokens":8') ? 200 : undefined;
  } catch {
    return undefined;
  }
}

/** What of the ledger tells whether something was lost. */
interface Row {
  readonly request: string;
  readonly outcome: string | null;
  readonly paid: number | null;
}

export function rowsOf(folder: GatewayFolder): readonly Row[] {
  using database = new Database(join(folder.path, "ledger.db"), { readonly: true });
  return database
    .query<Row, []>("SELECT request, outcome, paid_input + paid_output AS paid FROM requests")
    .all();
}

/**
 * Kills a gateway under load, `rounds` times, and starts it again. Each request whose answer a client had whole has one
 * row, ended and charged; each that the stub was asked for has one.
 */
export async function expectNothingLost(rounds: number, random: Random): Promise<void> {
  using stub = startRecordingStub();
  using folder = folderFor(stub, [{ name: "load" }]);
  const answered = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    await using gateway = startMain(folder, { BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" });
    const url = await gateway.listening();
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      for (let nth = 0; ; nth++) {
        const id = `r${round}-c${client}-${nth}`;
        const status = await ask(url, { key: "load", id, stream: client % 2 === 0 });
        if (status === undefined) return;
        expect(status).toBe(200);
        answered.add(id);
      }
    });
    const enough = answered.size + random.between(100, 600);
    await until(() => answered.size >= enough, "enough answers", 20_000);
    gateway.signal("SIGKILL");
    await gateway.ended();
    await Promise.all(clients);
  }
  await using last = startMain(folder);
  await last.listening();
  const rows = rowsOf(folder);
  const byId = new Map(rows.map((row) => [row.request, row]));
  expect(byId.size).toBe(rows.length);
  const lost = [...answered].filter((id) => byId.get(id)?.outcome !== "ok" || byId.get(id)?.paid !== TOKENS);
  const unknown = [...stub.asked].filter((id) => !byId.has(id));
  console.log(
    `${rounds} rounds of kill -9: ${answered.size} answers, ${lost.length} of them lost; ` +
      `${stub.asked.size} asked upstream, ${unknown.length} of them without a row`,
  );
  expect(answered.size).toBeGreaterThan(rounds * CLIENTS);
  expect(lost).toEqual([]);
  expect(unknown).toEqual([]);
  last.signal("SIGTERM");
  await last.ended();
  await using audit = new CodeProcess("src/cli/main.ts", ["audit", "--config", folder.config]);
  expect((await audit.ended()).stdout).toContain("The books balance.");
}
