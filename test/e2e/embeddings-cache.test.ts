import { Database } from "bun:sqlite";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type { EmbeddingCreateParams } from "openai/resources/embeddings";
import type { JsonObject } from "modelyard/plugin";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import { jsonAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";

/**
 * Vectors that were made before are given again, each input by itself, with the official client.
 * @module
 */
const ALICE = "sk-test-0123456789";
const BOB = "sk-bob-01234567890";
const KEYS = `keys: [{ name: test, key: ${ALICE}, limits: { tokens_per_minute: 1000 } }, { name: bob, key: ${BOB} }]\n`;

let server: FaultUpstream;
let gateway: RunningGateway;
let client: OpenAI;
/** What the server adds to its usage, and whether it tells any. */
let tells = true;

beforeAll(async () => {
  server = await startFaultUpstream();
  gateway = await start();
  client = clientOf(gateway, ALICE);
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  tells = true;
  server.respond = (exchange) => exchange.send(jsonAnswer(vectorsFor((exchange.json() as Asked).input)));
});

function start(cache = ""): Promise<RunningGateway> {
  const upstream = (models: string) =>
    `{ plugin: openai, options: { base_url: "${server.url}/v1", models: [${models}] } }`;
  const upstreams = `upstreams: { a: ${upstream("m, n")}, b: ${upstream("spare")} }\n`;
  const route = {
    model: "either",
    targets: [
      { upstream: "a", model: "down" },
      { upstream: "b", model: "spare" },
    ],
  };
  const prices = "prices: ./prices.yaml\n";
  return startGateway(
    `${upstreams}${KEYS}${cache}routes: [${JSON.stringify(route)}]\nretry: { attempts: 2 }\n${prices}`,
    {
      files: { "prices.yaml": 'version: "1"\nprices: [{ model: m, input: 1000000 }]\n' },
    },
  );
}

function clientOf({ baseURL }: RunningGateway, apiKey: string): OpenAI {
  return new OpenAI({ baseURL, apiKey, maxRetries: 0 });
}

interface Asked {
  readonly input: readonly unknown[] | string;
}

/** A vector that tells its input, of numbers that lose nothing by either encoding; one token for each letter. */
function vectorsFor(input: Asked["input"]): JsonObject {
  const texts = [input].flat().map((each) => JSON.stringify(each));
  const tokens = texts.join("").length;
  return {
    object: "list",
    data: texts.map((text, index) => ({
      object: "embedding",
      index,
      embedding: [text.length, text.charCodeAt(1), 0.5],
    })),
    model: "m-v2",
    ...(tells && { usage: { prompt_tokens: tokens, total_tokens: tokens } }),
  };
}

let asked = 0;
/** Inputs that nobody has asked for before. */
function fresh(...names: string[]): string[] {
  asked += 1;
  return names.map((name) => `${name}-${asked}`);
}

type Options = { readonly headers?: Record<string, string>; readonly by?: OpenAI };

async function embed(
  input: EmbeddingCreateParams["input"],
  more: object = {},
  { headers, by = client }: Options = {},
) {
  const before = server.requests.length;
  const { data, response } = await by.embeddings
    .create({ model: "m", input, ...more }, headers && { headers })
    .withResponse();
  return {
    state: response.headers.get("x-modelyard-cache"),
    vectors: data.data.map(({ embedding }) => embedding),
    usage: data.usage.prompt_tokens,
    source: response.headers.get("x-modelyard-usage"),
    model: data.model,
    headers: response.headers,
    /** What the server was asked for. */
    sent: server.requests.slice(before).map((exchange) => (exchange.json() as Asked).input),
  };
}

/** The row of an answer's request in the ledger. */
async function rowOf({ headers }: { readonly headers: Headers }): Promise<unknown> {
  const read = () => {
    using file = new Database(join(gateway.directory, "data/modelyard.db"), { readonly: true });
    const columns = "cache, input, paid_input, cost";
    const row = file.query(`SELECT ${columns} FROM requests WHERE request = ? AND outcome IS NOT NULL`);
    return row.get(headers.get("x-request-id"));
  };
  await until(() => read() !== null, "the row");
  return read();
}

describe("a vector that was made before", () => {
  test("is given again, in either encoding", async () => {
    const [text = ""] = fresh("a");
    const first = await embed(text);
    expect(first).toMatchObject({ state: "miss", sent: [text], source: "upstream" });
    for (const encoding_format of ["float", "base64"] as const) {
      const again = await embed([text], { encoding_format });
      expect(again).toMatchObject({
        state: "hit",
        sent: [],
        usage: first.usage,
        source: "upstream",
        model: "m-v2",
      });
      const [vector] = again.vectors as unknown[];
      const floats =
        typeof vector === "string" ? [...new Float32Array(Buffer.from(vector, "base64").buffer)] : vector;
      expect(typeof vector === "string").toBe(encoding_format === "base64");
      expect(floats).toEqual(first.vectors[0]);
      expect(again.headers.get("age")).toBe("0");
    }
  });

  test("is not asked for again beside others, and they stand in their order", async () => {
    const [a = "", bb = "", ccc = "", dddd = ""] = fresh("a", "bb", "ccc", "dddd");
    await embed([bb, dddd]);
    const mixed = await embed([a, bb, ccc, dddd]);
    expect(mixed).toMatchObject({ state: "miss", sent: [[a, ccc]], source: "estimated" });
    expect(mixed.vectors).toEqual(
      (await embed([a, bb, ccc, dddd], {}, { headers: { "cache-control": "no-store" } })).vectors,
    );
    expect(mixed.usage).toBe([a, bb, ccc, dddd].map((text) => JSON.stringify(text)).join("").length);
    expect(await embed([dddd, a, bb, ccc])).toMatchObject({ state: "hit", sent: [], usage: mixed.usage });
  });

  test("may be of token numbers", async () => {
    asked += 1;
    const tokens = [7, asked];
    await embed([tokens, [8, asked]]);
    expect(await embed(tokens)).toMatchObject({ state: "hit", sent: [] });
  });

  test("costs nothing, neither of a budget nor of a limit", async () => {
    const left = ({ headers }: { headers: Headers }) => Number(headers.get("x-ratelimit-remaining-tokens"));
    const [a = "", b = ""] = fresh("a", "b");
    const [first, again] = [await embed(a), await embed(a)];
    expect(left(again)).toBe(left(first));
    const mixed = await embed([a, b]);
    const rest = JSON.stringify(b).length;
    expect(left(again) - left(mixed)).toBe(rest);
    const { usage: input } = first;
    expect(await rowOf(first)).toEqual({ cache: "miss", input, paid_input: input, cost: input });
    expect(await rowOf(again)).toEqual({ cache: "hit", input, paid_input: 0, cost: 0 });
    expect(await rowOf(mixed)).toEqual({ cache: "miss", input: input + rest, paid_input: rest, cost: rest });
  });

  test("whose tokens nobody told is counted, and so is its part of a list", async () => {
    tells = false;
    const texts = fresh("some words", "more of them here");
    const first = await embed(texts);
    expect(first).toMatchObject({ state: "miss", source: "estimated" });
    expect(await embed(texts)).toMatchObject({ state: "hit", usage: first.usage, source: "estimated" });
  });
});

describe("another vector is asked for", () => {
  const OTHERS: [string, object, Options][] = [
    ["of another model", { model: "n" }, {}],
    ["of another length", { dimensions: 3 }, {}],
    ["with another parameter", { input_type: "query" }, {}],
    ["by a client that wants nothing kept", {}, { headers: { "cache-control": "no-store" } }],
    ["by a client that wants it new", {}, { headers: { "cache-control": "no-cache" } }],
    ["by a client that wants none so old", {}, { headers: { "cache-control": "max-age=0" } }],
  ];
  test.each(OTHERS)("%s", async (_, more, options) => {
    const [text = ""] = fresh("a");
    await embed(text);
    expect((await embed(text, more, options)).sent).toEqual([text]);
  });

  test("by another key, unless the configuration shares them", async () => {
    const [text = ""] = fresh("a");
    await embed(text);
    expect((await embed(text, {}, { by: clientOf(gateway, BOB) })).state).toBe("miss");
    await using shared = await start("cache: { scope: shared }\n");
    await embed(text, {}, { by: clientOf(shared, ALICE) });
    expect((await embed(text, {}, { by: clientOf(shared, BOB) })).state).toBe("hit");
  });

  test("where the answer was another target's", async () => {
    server.respond = (exchange) => {
      const { model, input } = exchange.json() as Asked & { model: string };
      exchange.send(
        model === "down"
          ? jsonAnswer({ error: { message: "it burns" } }, 500)
          : jsonAnswer(vectorsFor(input)),
      );
    };
    const [text = ""] = fresh("a");
    await embed(text, { model: "either" });
    expect((await embed(text, { model: "either" })).state).toBe("miss");
  });

  test("where the cache is off", async () => {
    await using off = await start("cache: { mode: off }\n");
    const by = clientOf(off, ALICE);
    expect((await embed("a", {}, { by })).state).toBe("bypass");
    expect((await embed("a", {}, { by })).sent).toEqual(["a"]);
  });
});

test("an answer that fails keeps nothing", async () => {
  const texts = fresh("a", "b");
  server.respond = (exchange) => exchange.send(jsonAnswer(vectorsFor("only one")));
  expect(await embed(texts).catch(({ status }: { status: number }) => status)).toBe(502);
  server.respond = (exchange) => exchange.send(jsonAnswer(vectorsFor((exchange.json() as Asked).input)));
  expect((await embed(texts)).sent).toEqual([texts]);
});

test("members of other endpoints' requests are only passed on, and don't hide the inputs from a limit", async () => {
  const [text = ""] = fresh("a");
  const more = { messages: [null], prompt: [null] };
  expect((await embed(text, more)).sent).toEqual([text]);
  expect(server.requests.at(-1)?.json()).toMatchObject(more);
  const long = "words ".repeat(1_000);
  expect(await embed(long, { messages: [] }).catch(({ param }: { param: string }) => param)).toBe("messages");
});
