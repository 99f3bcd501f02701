import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { hashKey } from "../../src/keys/keyring.ts";
import { openSqlite } from "../../src/storage/sqlite/sqlite.ts";
import { openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { foldChunks } from "../support/fold-chunks.ts";
import { forwardTo } from "../support/forward-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { readFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";
import { connecting } from "./clients.ts";

/**
 * What was answered before is given again, and nothing else is: not to another key, not to another question, not
 * half an answer, and no failure.
 * @module
 */
const MIB = 1024 * 1024;
const BOB = "sk-bob-0123456789";
const KEYS = `keys: [{ name: test, key: sk-test-0123456789 }, { name: bob, key: ${BOB} }]\n`;
const BOBS = { authorization: `Bearer ${BOB}` };

const ANSWERS = {
  hello: HELLO,
  untold: [say("Hello"), stop()],
  many: [
    { type: "reasoning", text: "hm" },
    { type: "reasoning", text: "m" },
    ...Array.from({ length: 30 }, (_, nth) => say(`${nth} `)),
    { type: "extra", at: "choice", fields: { logprobs: { content: [{ token: "0" }] } } },
    { type: "tool-call", index: 0, id: "call_1", name: "look", arguments: '{"a"' },
    { type: "tool-call", index: 0, arguments: ":1}" },
    { type: "finish", reason: "tool_calls" },
    spent(7, 3),
  ],
  two: [say("one", 0), say("two", 1), say("!", 0), stop(0), stop(1), spent(7, 3)],
  broken: [say("Hel")],
  refused: [{ fail: "bad-request", message: "no" }],
  limited: [{ fail: "rate-limited", message: "slowly" }],
  silent: [say("Hel"), { hang: true }],
  long: [...Array.from({ length: 40 }, () => say("x".repeat(1_024))), stop()],
} satisfies Record<string, readonly Step[]>;

type Model = keyof typeof ANSWERS;

let gateway: ScriptedGateway;
beforeAll(async () => {
  gateway = await startScripted(ANSWERS, { yaml: `${KEYS}cache: { mode: all, max_entry: 20KiB }\n` });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function question(model: Model, more: object = {}): object {
  return { model, messages: [{ role: "user", content: "Hello?" }], ...more };
}

let asked = 0;
/** A question that nobody has asked before. */
function newQuestion(model: Model, more: object = {}): object {
  asked += 1;
  return question(model, { messages: [{ role: "user", content: `Hello, for the ${asked}. time` }], ...more });
}

/** What the cache had to do with each of these requests, one after the other, read to their ends. */
async function statesOf(
  where: RunningGateway,
  requests: readonly (readonly [body: object, headers?: HeadersInit])[],
): Promise<(string | null)[]> {
  const states: (string | null)[] = [];
  for (const [body, headers] of requests) {
    const response = await where.chat(body, headers && { headers });
    await response.text();
    states.push(response.headers.get("x-modelyard-cache"));
  }
  return states;
}

/** All that an answer says, in whatever form it came. */
async function saidBy(response: Response): Promise<object> {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const whole = isStream ? foldChunks((await readFrames(response)).chunks) : await response.json();
  const { id: _, created: __, ...said } = whole as Record<string, unknown>;
  return said;
}

/** Of a body's bytes, none of which are kept. */
async function hashOf(response: Response): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const piece of response.body ?? []) hasher.update(piece);
  return hasher.digest("hex");
}

describe("an answer that was given", () => {
  test("is given again for nothing, and says so, and how old it is", async () => {
    const body = newQuestion("hello");
    const before = gateway.status().begun;
    const first = await gateway.chat(body);
    expect([first.headers.get("x-modelyard-cache"), first.headers.get("age")]).toEqual(["miss", null]);
    const second = await gateway.chat(body);
    expect([second.headers.get("x-modelyard-cache"), second.headers.get("age")]).toEqual(["hit", "0"]);
    expect(second.headers.get("x-modelyard-upstream")).toBe("scripted");
    expect(second.headers.get("x-modelyard-attempts")).toBe("0");
    expect(await saidBy(second)).toEqual(await saidBy(first));
    expect(gateway.status().begun - before).toBe(1);
  });

  const FORMS = {
    plain: {},
    streamed: { stream: true },
    "streamed with its usage": { stream: true, stream_options: { include_usage: true } },
  };
  const forms = Object.entries(FORMS);
  const pairs = forms.flatMap(([filler, filling]) =>
    forms.map(([reader, reading]) => [filler, reader, filling, reading] as const),
  );

  test.each(pairs)("%s serves one that is %s as if it were its own", async (_, __, filling, reading) => {
    for (const model of ["hello", "many", "two"] as const) {
      const body = newQuestion(model, { n: model === "two" ? 2 : 1 });
      const own = await gateway.chat({ ...body, ...reading }, { headers: { "cache-control": "no-store" } });
      await (await gateway.chat({ ...body, ...filling })).text();
      const again = await gateway.chat({ ...body, ...reading });
      expect(again.headers.get("x-modelyard-cache")).toBe("hit");
      expect(await saidBy(again)).toEqual(await saidBy(own));
    }
  });

  test("without its usage has it counted anew", async () => {
    const body = newQuestion("untold", { stream: true, stream_options: { include_usage: true } });
    await statesOf(gateway, [[body]]);
    const { chunks } = await readFrames(await gateway.chat(body));
    expect(chunks.at(-1)).toMatchObject({
      usage: { completion_tokens: expect.any(Number) },
      x_modelyard: { usage: "estimated" },
    });
  });

  test("to the legacy endpoint is kept as well, and for that endpoint alone", async () => {
    const ask = async (path: string, body: object) => {
      const headers = { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" };
      const response = await fetch(gateway.baseURL + path, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      await response.text();
      return response.headers.get("x-modelyard-cache");
    };
    const body = { model: "hello", prompt: "Once upon a time" };
    expect(await ask("/completions", body)).toBe("miss");
    expect(await ask("/completions", body)).toBe("hit");
    const chat = { model: "hello", messages: [{ role: "user", content: body.prompt }] };
    expect(await ask("/chat/completions", chat)).toBe("miss");
  });

  test("is replayed no faster than it is read", async () => {
    await using upstream = await startFaultUpstream();
    const cache = "cache: { mode: all, max_size: 64MiB, max_entry: 64MiB }\n";
    await using other = await startGateway(`${cache}upstreams:\n${forwardTo("forward", upstream.url)}`);
    const answer = sseAnswer(openaiChunks("x".repeat(24 * MIB), { units: 64 * 1024 }));
    upstream.respond = (exchange) => exchange.send(answer);
    const body = newQuestion("hello", { model: "m", stream: true });
    const first = await hashOf(await other.chat(body));
    Bun.gc(true);
    const before = process.memoryUsage().rss;
    const idlers = Array.from({ length: 50 }, () => connecting(other, body, { reads: false }));
    await until(() => other.gateway.inFlight.running === idlers.length, "all who don't read");
    const again = await other.chat(body);
    expect(again.headers.get("x-modelyard-cache")).toBe("hit");
    expect(await hashOf(again)).toBe(first);
    const grown = (process.memoryUsage().rss - before) / MIB;
    console.log(`50 clients that don't read a replay of 24 MiB: memory grew by ${grown.toFixed(0)} MiB`);
    // Written for all of them whether they read or not, it would be 1200.
    expect(grown).toBeLessThan(700);
    for (const idler of idlers) idler.leave();
    await until(() => other.gateway.inFlight.running === 0, "the end of all calls");
  }, 30_000);
});

describe("a request says with cache-control", () => {
  const NEW = { "cache-control": "no-cache" };
  const SECRET = { "cache-control": "no-store" };

  test("no-cache: the answer is to be a new one, which is kept for others", async () => {
    const body = newQuestion("hello");
    const before = gateway.status().begun;
    expect(await statesOf(gateway, [[body], [body, NEW], [body]])).toEqual(["miss", "bypass", "hit"]);
    expect(gateway.status().begun - before).toBe(2);
    const another = newQuestion("hello");
    expect(await statesOf(gateway, [[another, NEW], [another]])).toEqual(["bypass", "hit"]);
  });

  test("no-store: nothing of it is kept, and nothing kept is taken", async () => {
    const body = newQuestion("hello");
    const requests = [[body, SECRET], [body], [body, SECRET], [body]] as const;
    expect(await statesOf(gateway, requests)).toEqual(["bypass", "miss", "bypass", "hit"]);
  });

  test("max-age: how old it may be", async () => {
    const body = newQuestion("hello");
    await statesOf(gateway, [[body]]);
    expect(await statesOf(gateway, [[body, { "cache-control": "max-age=600" }]])).toEqual(["hit"]);
    expect(await statesOf(gateway, [[body, { "cache-control": "max-age=0" }], [body]])).toEqual([
      "miss",
      "hit",
    ]);
  });
});

describe("what isn't a whole, good answer is never kept", () => {
  test.each(["broken", "refused", "limited"] as const)("%s", async (model) => {
    for (const stream of [false, true]) {
      const body = newQuestion(model, { stream });
      const before = gateway.status().begun;
      for (let nth = 0; nth < 3; nth++) {
        expect(await (await gateway.chat(body)).text()).toContain('"error"');
      }
      expect(gateway.status().begun - before).toBe(3);
    }
  });

  test("one that its client left isn't", async () => {
    const body = newQuestion("silent", { stream: true });
    const before = gateway.status().begun;
    for (let nth = 0; nth < 2; nth++) {
      const client = connecting(gateway, body);
      await client.headers;
      client.leave();
      await gateway.quiet();
    }
    expect(gateway.status().begun - before).toBe(2);
  });

  test("nor is one that is larger than may be kept, though it comes whole", async () => {
    const body = newQuestion("long", { stream: true });
    for (let nth = 0; nth < 2; nth++) {
      const response = await gateway.chat(body);
      expect(response.headers.get("x-modelyard-cache")).toBe("miss");
      expect(textOf(await readFrames(response)).length).toBe(40 * 1_024);
    }
  });

  test("nor what another than the first target said", async () => {
    await using several = await startSeveral(
      {
        one: { answers: { hello: [{ fail: "unavailable", message: "not now", times: 1 }, ...HELLO] } },
        two: { answers: { hello: HELLO } },
      },
      "retry: { attempts: 2 }\ncache: { mode: all }\nroutes: [{ model: hello, targets: [one, two] }]\n",
    );
    const upstreams: (string | null)[] = [];
    for (let nth = 0; nth < 3; nth++) {
      const response = await several.chat(question("hello"));
      await response.text();
      upstreams.push(
        `${response.headers.get("x-modelyard-cache")} ${response.headers.get("x-modelyard-upstream")}`,
      );
    }
    expect(upstreams).toEqual(["miss two", "miss one", "hit one"]);
  });
});

describe("by gateway.yaml", () => {
  test("a key that takes the name of a removed one isn't given its answers", async () => {
    const storage = openSqlite(join(gateway.directory, "data/modelyard.db"), undefined);
    const body = newQuestion("hello");
    const statesFor = async (key: string) => {
      await storage.keys.delete("carol");
      const made = { name: "carol", models: ["*"], limits: {}, budget: undefined, expires: undefined };
      await storage.keys.add({ ...made, hash: hashKey(key) }, key.slice(0, 6));
      const headers = { authorization: `Bearer ${key}` };
      return statesOf(gateway, [
        [body, headers],
        [body, headers],
      ]);
    };
    expect(await statesFor("sk-carol-0123456789")).toEqual(["miss", "hit"]);
    expect(await statesFor("sk-later-0123456789")).toEqual(["miss", "hit"]);
    await storage.close();
  });

  test("each key has answers of its own", async () => {
    const body = newQuestion("hello");
    const requests = [[body], [body, BOBS], [body], [body, BOBS]] as const;
    expect(await statesOf(gateway, requests)).toEqual(["miss", "miss", "hit", "hit"]);
  });

  test("or all share them", async () => {
    await using shared = await startScripted(ANSWERS, {
      yaml: `${KEYS}cache: { mode: all, scope: shared }\n`,
    });
    const body = question("hello");
    expect(await statesOf(shared, [[body], [body, BOBS]])).toEqual(["miss", "hit"]);
  });

  test("only what is asked to be the same each time is kept, unless it says otherwise", async () => {
    await using careful = await startScripted(ANSWERS);
    const states = async (more: object) => {
      const body = newQuestion("hello", more);
      return statesOf(careful, [[body], [body]]);
    };
    expect(await states({})).toEqual(["bypass", "bypass"]);
    expect(await states({ temperature: 1 })).toEqual(["bypass", "bypass"]);
    expect(await states({ seed: null })).toEqual(["bypass", "bypass"]);
    expect(await states({ temperature: 0 })).toEqual(["miss", "hit"]);
    expect(await states({ seed: 0 })).toEqual(["miss", "hit"]);
  });

  test.each(["mode: off", "mode: all, max_size: 0"])("%s keeps nothing", async (settings) => {
    await using off = await startScripted(ANSWERS, { yaml: `cache: { ${settings} }\n` });
    const body = question("hello", { temperature: 0 });
    expect(await statesOf(off, [[body], [body]])).toEqual(["bypass", "bypass"]);
  });

  test("what is too old is asked for again", async () => {
    await using brief = await startScripted(ANSWERS, { yaml: "cache: { mode: all, ttl: 1ms }\n" });
    const body = question("hello");
    await statesOf(brief, [[body]]);
    const stored = performance.now();
    while (performance.now() - stored < 2) await new Promise(setImmediate);
    expect(await statesOf(brief, [[body]])).toEqual(["miss"]);
  });
});
