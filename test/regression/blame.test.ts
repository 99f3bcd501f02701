import { afterEach, describe, expect, test } from "bun:test";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { startLangfast } from "../support/langfast-gateway.ts";
import { SCRIPTED_PLUGIN } from "../support/scripted-gateway.ts";

/**
 * Who is blamed for a failure: what the client gets, which targets are asked, and whom it harms.
 * @module
 */
interface Body {
  readonly model?: string;
  readonly stream?: boolean;
  readonly messages?: readonly { readonly content: unknown }[];
}

interface Stub {
  readonly url: string;
  /** The models, or paths, that were asked for, in order. */
  readonly calls: string[];
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** An upstream that answers as told. */
function stub(answer: (said: string, body: Body) => Response): Stub {
  const calls: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const text = await request.text();
      if (request.method === "GET") return Response.json({ data: [] });
      const body = JSON.parse(text) as Body;
      calls.push(body.model ?? new URL(request.url).pathname);
      return answer(text, body);
    },
  });
  closing.push(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}`, calls };
}

/** An address at which nobody listens. */
function nobody(): string {
  const freed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  freed.stop(true);
  return `http://127.0.0.1:${freed.port}`;
}

// Told, so that no gateway of a test has to load its tokenizer.
const SPENT = { prompt_tokens: 1, completion_tokens: 1 };

const QUICK = "retry: { backoff: 1ms }\n";

async function gatewayWith(upstreams: Record<string, object>, more = ""): Promise<RunningGateway> {
  const gateway = await startGateway(
    `upstreams: ${JSON.stringify(upstreams)}\n${more}${/^retry:/m.test(more) ? "" : QUICK}`,
  );
  closing.push(() => gateway[Symbol.asyncDispose]());
  return gateway;
}

const openai = (url: string, ...models: string[]) => ({
  plugin: "openai",
  options: { base_url: `${url}/v1`, api_key: "sk-ours-0123456789", models },
});
const anthropic = (url: string, ...models: string[]) => ({
  plugin: "anthropic",
  options: { base_url: url, api_key: "sk-ours-0123456789", models },
});
const gemini = (url: string, ...models: string[]) => ({
  plugin: "gemini",
  options: { base_url: `${url}/v1beta`, api_key: "sk-ours-0123456789", models },
});

const routes = (...targets: string[]): string =>
  `routes: ${JSON.stringify([
    {
      model: "m",
      targets: targets.map((target) => {
        const [upstream, model] = target.split("/");
        return { upstream, model };
      }),
    },
  ])}\n`;

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly error: { readonly code: string; readonly message: string; readonly param: string | null };
}

async function ask(
  gateway: RunningGateway,
  {
    model = "m",
    content = "good",
    stream = false,
  }: { model?: string; content?: string; stream?: boolean } = {},
): Promise<Answered> {
  const response = await gateway.chat({ model, stream, messages: [{ role: "user", content }] });
  const text = await response.text();
  const json = text.startsWith("{") ? (JSON.parse(text) as { error?: Answered["error"] }) : {};
  const none = { code: "", message: "", param: null };
  return { status: response.status, text, headers: response.headers, error: json.error ?? none };
}

const times = async <T>(count: number, act: () => Promise<T>): Promise<T[]> => {
  const results: T[] = [];
  for (let i = 0; i < count; i++) results.push(await act());
  return results;
};

function events(...chunks: object[]): Response {
  const text = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  return new Response(`${text}data: [DONE]\n\n`, { headers: { "content-type": "text/event-stream" } });
}

function completion(text: string, { stream = false }: Body, finish = "stop"): Response {
  if (!stream)
    return Response.json({
      choices: [{ index: 0, message: { content: text }, finish_reason: finish }],
      usage: SPENT,
    });
  return events({ choices: [{ index: 0, delta: { content: text }, finish_reason: finish }], usage: SPENT });
}

const hello = (_: string, body: Body): Response => completion("Hello", body);

function complaint(status: number, message: string, more: object = {}, headers: HeadersInit = {}): Response {
  return Response.json({ error: { message, type: "invalid_request_error", ...more } }, { status, headers });
}

const page = (status: number): Response =>
  new Response("<!doctype html><html><head><title>Blocked by 10.0.0.7</title></head><body>no</body></html>", {
    status,
    headers: { "content-type": "text/html" },
  });

const bothForms = [false, true] as const;

describe("a failure of an upstream", () => {
  test.each(bothForms)(
    "passes over all its targets: a key that is refused (streamed: %p)",
    async (stream) => {
      const dead = stub(() => complaint(401, "Incorrect API key provided: sk-ours"));
      const free = stub(hello);
      const gateway = await gatewayWith(
        { oa: openai(dead.url, "m1", "m2", "m3"), free: openai(free.url, "m4") },
        routes("oa/m1", "oa/m2", "oa/m3", "free/m4"),
      );
      const first = await ask(gateway, { stream });
      expect([first.status, first.headers.get("x-modelyard-attempts")]).toEqual([200, "2"]);
      expect(dead.calls).toEqual(["m1"]);
      expect((await times(8, () => ask(gateway, { stream }))).map(({ status }) => status)).toEqual(
        Array.from({ length: 8 }, () => 200),
      );
      // One circuit for all three.
      expect(dead.calls).toEqual(["m1", "m1", "m1", "m1", "m1"]);
      expect((await ask(gateway, { model: "oa/m3" })).status).toBe(503);
    },
  );

  test("passes over all its targets: nobody is there", async () => {
    const free = stub(hello);
    const gateway = await gatewayWith(
      { oa: openai(nobody(), "m1", "m2", "m3"), free: openai(free.url, "m4") },
      routes("oa/m1", "oa/m2", "oa/m3", "free/m4"),
    );
    const answers = await times(6, () => ask(gateway));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(answers.map(({ headers }) => headers.get("x-modelyard-attempts"))).toEqual([
      "2",
      "2",
      "2",
      "2",
      "2",
      "1",
    ]);
  });
});

describe("the gateway's own key", () => {
  const refusals = {
    "is refused with 401": () => complaint(401, "Incorrect API key provided: sk-ours. See example.com/keys"),
    "is refused with 403": () => complaint(403, "This API key may not use that. See example.com/keys"),
    "has no credit left (402)": () => complaint(402, "Insufficient Balance. See example.com/keys"),
    "has no credit left (429)": () =>
      complaint(429, "You exceeded your quota. See example.com/keys", { code: "insufficient_quota" }),
  };
  for (const [what, refusal] of Object.entries(refusals)) {
    test.each(bothForms)(
      `${what}: the client is told so, and not to come back (streamed: %p)`,
      async (stream) => {
        const server = stub(refusal);
        const gateway = await gatewayWith({ oa: openai(server.url, "m") });
        for (const answer of await times(7, () => ask(gateway, { model: "oa/m", stream }))) {
          expect([answer.status, answer.error.code]).toEqual([503, "no_credential"]);
          expect(answer.headers.get("x-should-retry")).toBe("false");
          expect(answer.headers.get("retry-after")).not.toBeNull();
          expect(answer.error.message).toContain("oa");
          expect(answer.text).not.toContain("example.com");
        }
      },
    );
  }

  test("is without credit, as Anthropic says it within a stream and without one", async () => {
    const message = "Your credit balance is too low to access the Anthropic API.";
    const error = { type: "error", error: { type: "invalid_request_error", message } };
    const start = { type: "message_start", message: { content: [], usage: { input_tokens: 1 } } };
    const answers = {
      streamed: () =>
        new Response(
          `event: message_start\ndata: ${JSON.stringify(start)}\n\nevent: error\ndata: ${JSON.stringify(error)}\n\n`,
          { headers: { "content-type": "text/event-stream" } },
        ),
      plain: () => Response.json(error, { status: 400 }),
    };
    for (const answer of Object.values(answers)) {
      const spent = stub(answer);
      const free = stub(hello);
      const gateway = await gatewayWith(
        { an: anthropic(spent.url, "claude"), oa: openai(free.url, "m") },
        routes("an/claude", "oa/m"),
      );
      expect((await ask(gateway, { stream: true })).status).toBe(200);
      const alone = await ask(gateway, { model: "an/claude", stream: true });
      expect([alone.status, alone.error.code]).toEqual([503, "no_credential"]);
      expect(alone.headers.get("x-should-retry")).toBe("false");
    }
  });
});

describe("one client's content", () => {
  const refused: Record<string, readonly [() => Response, number, string]> = {
    "a firewall's page with 403": [() => page(403), 400, "invalid_value"],
    "an empty 403": [() => new Response("", { status: 403 }), 400, "invalid_value"],
    "a 403 of a moderator": [() => complaint(403, "rejected by our safety policy"), 400, "content_filter"],
    "a 451": [() => complaint(451, "unavailable for legal reasons"), 400, "invalid_value"],
    "a 409": [() => complaint(409, "the conversation is locked"), 400, "invalid_value"],
    "a 418": [() => complaint(418, "a teapot"), 400, "invalid_value"],
    "a filtered prompt": [
      () => complaint(400, "The response was filtered", { code: "content_filter" }),
      400,
      "content_filter",
    ],
    "a 400 that quotes the client": [
      () => complaint(400, "Invalid value: 'API key not valid. Your credit balance is too low'"),
      400,
      "invalid_value",
    ],
  };
  for (const [what, [refusal, status, code]] of Object.entries(refused)) {
    test(`${what} is that request's fault and nobody else's`, async () => {
      const server = stub((said, body) => (said.includes("ODD") ? refusal() : completion("Hello", body)));
      const gateway = await gatewayWith({ oa: openai(server.url, "m") });
      for (const answer of await times(6, () => ask(gateway, { model: "oa/m", content: "ODD" }))) {
        expect([answer.status, answer.error.code]).toEqual([status, code]);
        expect(answer.text).not.toContain("10.0.0.7");
      }
      expect((await ask(gateway, { model: "oa/m" })).status).toBe(200);
      expect(server.calls).toHaveLength(7);
    });
  }

  test.each(bothForms)("that Gemini's model fails on rests nobody's model (streamed: %p)", async (stream) => {
    const chunk = (candidate: object): Response =>
      stream ? events({ candidates: [candidate] }) : Response.json({ candidates: [candidate] });
    const server = stub((said) =>
      said.includes("ODD")
        ? chunk({ content: { parts: [] }, finishReason: "MALFORMED_FUNCTION_CALL", finishMessage: "bad" })
        : chunk({ content: { parts: [{ text: "Hello" }] }, finishReason: "STOP" }),
    );
    const gateway = await gatewayWith(
      { ge: gemini(server.url, "gemini-2.5-pro") },
      "retry: { backoff: 1ms }\n",
    );
    for (let round = 0; round < 6; round++) {
      const before = server.calls.length;
      expect(
        (await ask(gateway, { model: "ge/gemini-2.5-pro", content: `ODD ${round}`, stream })).status,
      ).toBe(502);
      // At most one repetition, as far as the budget of retries goes.
      expect(server.calls.length - before).toBeLessThanOrEqual(2);
      expect((await ask(gateway, { model: "ge/gemini-2.5-pro", stream })).status).toBe(200);
    }
  });

  const broken: Record<string, (body: Body) => Response> = {
    "a 500": () => complaint(500, "the engine fell over"),
    "an error within a stream": () => events({ error: { message: "the engine fell over" } }),
    "an answer that ends with an error": (body) => completion("", body, "error"),
    "an answer that breaks off": () =>
      new Response(`data: {"choices":[{"index":0,"delta":{"content":""}}]}\n\n`, {
        headers: { "content-type": "text/event-stream" },
      }),
    nonsense: () => new Response("nonsense", { headers: { "content-type": "text/event-stream" } }),
  };
  for (const [what, failure] of Object.entries(broken)) {
    test(`on which a server fails with ${what} rests nobody's model`, async () => {
      const server = stub((said, body) => (said.includes("ODD") ? failure(body) : completion("Hello", body)));
      const gateway = await gatewayWith({ oa: openai(server.url, "m") });
      for (let round = 0; round < 8; round++) {
        expect((await ask(gateway, { model: "oa/m", content: "ODD", stream: true })).status).toBe(502);
        expect((await ask(gateway, { model: "oa/m", stream: true })).status).toBe(200);
      }
    });
  }

  test("but a server that is dead for one client is left alone: tries don't count, requests do", async () => {
    const dead = stub(() => complaint(500, "the engine fell over"));
    const free = stub(hello);
    const gateway = await gatewayWith(
      { oa: openai(dead.url, "m"), free: openai(free.url, "m") },
      routes("oa/m", "free/m"),
    );
    await times(4, () => ask(gateway, { model: "oa/m" }));
    const tried = dead.calls.length;
    expect(tried).toBeGreaterThan(4);
    expect((await ask(gateway)).headers.get("x-modelyard-attempts")).toBe("2");
    expect((await ask(gateway)).headers.get("x-modelyard-attempts")).toBe("1");
    expect(dead.calls).toHaveLength(tried + 1);
  });
});

describe("where no other target is left", () => {
  test("a limit that one request met doesn't shut the others out, and is passed on", async () => {
    const server = stub((said, body) =>
      said.includes("LARGE")
        ? complaint(429, "too many tokens", {}, { "retry-after": "20" })
        : completion("Hello", body),
    );
    const gateway = await gatewayWith({ oa: openai(server.url, "m") });
    for (let round = 0; round < 3; round++) {
      const limited = await ask(gateway, { model: "oa/m", content: "LARGE" });
      expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "20"]);
      expect((await ask(gateway, { model: "oa/m" })).status).toBe(200);
    }
  });

  test("a server that is back is found by the next request", async () => {
    let isDead = true;
    const server = stub((_, body) => (isDead ? complaint(500, "no") : completion("Hello", body)));
    const gateway = await gatewayWith({ oa: openai(server.url, "m") }, "retry: { attempts: 1 }\n");
    await times(6, () => ask(gateway, { model: "oa/m" }));
    isDead = false;
    expect((await ask(gateway, { model: "oa/m" })).status).toBe(200);
  });
});

test("names that clients make up wake no target that rests", async () => {
  const server = stub((_, body) =>
    body.model === "bad" ? complaint(500, "no") : complaint(404, `no model`, { code: "model_not_found" }),
  );
  const free = stub(hello);
  const gateway = await gatewayWith(
    { oa: openai(server.url, "bad"), free: openai(free.url, "m") },
    routes("oa/bad", "free/m"),
  );
  await times(6, () => ask(gateway));
  const before = server.calls.filter((model) => model === "bad").length;
  for (let i = 0; i < 21; i++)
    await Promise.all(Array.from({ length: 100 }, (_, j) => ask(gateway, { model: `oa/junk-${i}-${j}` })));
  expect((await ask(gateway)).status).toBe(200);
  expect(server.calls.filter((model) => model === "bad")).toHaveLength(before);
}, 30_000);

describe("a body that is too large for one upstream", () => {
  test("may go to the next, and is 413 where there is none", async () => {
    const small = stub(() => page(413));
    const free = stub(hello);
    const gateway = await gatewayWith(
      { oa: openai(small.url, "m"), free: openai(free.url, "m") },
      routes("oa/m", "free/m"),
    );
    expect((await ask(gateway)).headers.get("x-modelyard-upstream")).toBe("free");
    const alone = await ask(gateway, { model: "oa/m" });
    expect([alone.status, alone.error.code]).toEqual([413, "request_too_large"]);
  });
});

describe("a plugin's own refusal before any call", () => {
  const refuse = (code: string, param: string) => ({ refuse: code, message: `${param} can't be`, param });
  const scripted = (step: object) => ({ plugin: "./scripted.ts", options: { answers: { m: [step] } } });
  const start = async (...steps: object[]): Promise<RunningGateway> => {
    const upstreams = Object.fromEntries(steps.map((step, index) => [`u${index}`, scripted(step)]));
    const targets = steps.map((_, index) => `u${index}/m`);
    const yaml = `upstreams: ${JSON.stringify(upstreams)}\n${routes(...targets)}${QUICK}`;
    const gateway = await startGateway(yaml, { files: { "scripted.ts": SCRIPTED_PLUGIN } });
    closing.push(() => gateway[Symbol.asyncDispose]());
    return gateway;
  };

  test.each(["bad-request", "unsupported", "context-length", "content-filter", "too-large"])(
    "is worth the next target, and costs no attempt: %s",
    async (code) => {
      const refusals = ["a", "b", "c", "d"].map((param) => refuse(code, param));
      const answer = await ask(await start(...refusals, { type: "finish", reason: "stop" }));
      expect([answer.status, answer.headers.get("x-modelyard-attempts")]).toEqual([200, "1"]);
    },
  );

  test("is the first of several where no target takes the request", async () => {
    const gateway = await start(
      refuse("bad-request", "first"),
      refuse("unsupported", "second"),
      refuse("bad-request", "third"),
    );
    const { status, error } = await ask(gateway);
    expect([status, error.code, error.param]).toEqual([400, "invalid_value", "first"]);
  });
});

test("a pool that gets no credential says so every time, with when to come back", async () => {
  for (const signup of [{ status: 429, retryAfter: 20 }, { status: 429 }]) {
    await using langfast = await startLangfast();
    langfast.emulator.script = { signup };
    for (const answer of await times(4, () => ask(langfast.gateway, { model: "gpt-4o-mini" }))) {
      expect([answer.status, answer.error.code]).toEqual([503, "no_credential"]);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
  }
}, 30_000);

test.each(bothForms)(
  "members that we made don't end a conversation at a strict server (streamed: %p)",
  async (stream) => {
    const strict = stub((said, body) =>
      said.includes("extra_content")
        ? complaint(400, "Unrecognized request argument supplied: extra_content")
        : completion("Hello", body),
    );
    const gateway = await gatewayWith(
      { ge: gemini(nobody(), "gemini-2.5-pro"), oa: openai(strict.url, "m") },
      routes("ge/gemini-2.5-pro", "oa/m"),
    );
    const call = {
      id: "c1",
      type: "function",
      function: { name: "look", arguments: "{}" },
      extra_content: { google: { thought_signature: "c2ln" } },
    };
    const response = await gateway.chat({
      model: "m",
      stream,
      messages: [
        { role: "user", content: "Well?" },
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: "c1", content: "seen" },
      ],
    });
    expect([response.status, response.headers.get("x-modelyard-upstream")]).toEqual([200, "oa"]);
    await response.text();
  },
);

describe("what a client reads of an upstream", () => {
  test("is its own code of a 400", async () => {
    const server = stub(() =>
      complaint(400, "the picture is broken", { code: "invalid_image", param: "messages" }),
    );
    const gateway = await gatewayWith({ oa: openai(server.url, "m") });
    const { status, error } = await ask(gateway, { model: "oa/m" });
    expect(status).toBe(400);
    expect(error).toMatchObject({
      code: "invalid_image",
      message: "the picture is broken",
      param: "messages",
    });
  });

  const leaks: Record<string, () => Response> = {
    "a page with 200": () => page(200),
    "a page with 502": () => page(502),
    "JSON of no known shape": () => Response.json({ host: "10.0.0.7:8000" }, { status: 500 }),
    "words with an address": () =>
      complaint(500, "can't connect to http://10.0.0.7:8000/v1 or 10.0.0.7:9 or host-7:8000"),
    "a redirect": () =>
      new Response("", { status: 302, headers: { location: "http://10.0.0.7:8000/login" } }),
    "a page within a stream": () =>
      new Response("data: <html><body>10.0.0.7</body></html>\n\n", {
        headers: { "content-type": "text/event-stream" },
      }),
  };
  for (const [what, answer] of Object.entries(leaks)) {
    test(`is no page and no address: ${what}`, async () => {
      const server = stub(answer);
      const upstreams = {
        oa: openai(server.url, "m"),
        an: anthropic(server.url, "claude"),
        ge: gemini(server.url, "gemini-2.5-pro"),
      };
      const gateway = await gatewayWith(upstreams, "retry: { attempts: 1 }\n");
      for (const model of ["oa/m", "an/claude", "ge/gemini-2.5-pro"]) {
        for (const stream of bothForms) {
          const { status, text, headers } = await ask(gateway, { model, stream });
          expect(status).toBe(502);
          expect(text).not.toMatch(/10\.0\.0\.7|host-7|127\.0\.0\.1|<|title|\bhtml/i);
          expect(headers.get("x-modelyard-upstream")).toBe(model.split("/")[0] ?? "");
        }
      }
    });
  }

  test("is no address of one that can't be reached, or that hangs up", async () => {
    const hanging = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end() },
    });
    closing.push(() => hanging.stop(true));
    const gateway = await gatewayWith(
      { oa: openai(nobody(), "m"), an: openai(`http://127.0.0.1:${hanging.port}`, "m") },
      "retry: { attempts: 1 }\n",
    );
    const gone = await ask(gateway, { model: "oa/m" });
    expect([gone.status, gone.error.message]).toEqual([503, `the upstream "oa" can't be reached`]);
    const hungUp = await ask(gateway, { model: "an/m" });
    expect([hungUp.status, hungUp.error.message]).toEqual([
      503,
      "the upstream closed the connection without an answer",
    ]);
  });
});

test("an answer that breaks off names its upstream", async () => {
  const cut = stub(() => new Response('{"choices":[{"index":0,"mess'));
  const gateway = await gatewayWith({ cut: openai(cut.url, "m") }, "retry: { attempts: 1 }\n");
  const broken = await gateway.chat({ model: "cut/m", messages: [{ role: "user", content: "Hi" }] });
  expect(broken.status).toBe(502);
  expect(broken.headers.get("x-modelyard-upstream")).toBe("cut");
});
