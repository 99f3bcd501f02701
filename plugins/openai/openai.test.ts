import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  jsonAnswer,
  openaiChunks,
  openaiCompletion,
  sseAnswer,
  startFaultUpstream,
} from "../../test/support/fault-upstream.ts";
import type { Exchange, FaultUpstream } from "../../test/support/fault-upstream.ts";
import { answerOf, answerTo, asking, openaiWith } from "../../test/support/openai-upstream.ts";
import { testCall } from "../../test/support/plugin-host.ts";

let server: FaultUpstream;
beforeEach(async () => {
  server = await startFaultUpstream();
  server.respond = (exchange) => exchange.send(jsonAnswer(openaiCompletion("Hello")));
});
afterEach(() => server[Symbol.asyncDispose]());

/** Opens the plugin for the server, asks it once, and gives the request that came. */
async function askedWith(options: object, more = {}): Promise<Exchange> {
  await using opened = await openaiWith({ base_url: `${server.url}/v1`, ...options });
  expect((await answerTo(opened.upstream, more)).error).toBeUndefined();
  return server.requests.at(-1)!;
}

describe("a request", () => {
  test("reaches the server as the client wrote it", async () => {
    const body = asking({ temperature: 0.5, vendor: { deep: [1, null, "x"] }, stream: null, n: null });
    const exchange = await askedWith({ api_key: "sk-1" }, body);
    const { method, path, headers } = exchange;
    expect([method, path]).toEqual(["POST", "/v1/chat/completions"]);
    expect(headers.get("authorization")).toBe("Bearer sk-1");
    expect(headers.get("content-type")).toBe("application/json");
    expect(exchange.json()).toEqual(body);
  });

  test("that is streamed also asks for the usage, and keeps its other stream options", async () => {
    server.respond = (exchange) => exchange.send(sseAnswer(openaiChunks("Hello")));
    const exchange = await askedWith({}, { stream: true, stream_options: { include_obfuscation: false } });
    expect(exchange.json()).toMatchObject({
      stream: true,
      stream_options: { include_obfuscation: false, include_usage: true },
    });
    expect(exchange.headers.get("accept-encoding")).toBe("identity");
  });

  test("without a key has no authorization", async () => {
    expect((await askedWith({})).headers.get("authorization")).toBeNull();
  });

  test("carries organisation, project, headers of one's own, which win, and the query", async () => {
    const options = {
      api_key: "sk-1",
      organization: "org-1",
      project: "proj-1",
      headers: { "X-Team": "a", Authorization: "Basic b" },
      query: { "api-version": "1 2" },
    };
    const { path, headers } = await askedWith(options);
    expect(path).toBe("/v1/chat/completions?api-version=1+2");
    expect(headers.get("openai-organization")).toBe("org-1");
    expect(headers.get("openai-project")).toBe("proj-1");
    expect(headers.get("x-team")).toBe("a");
    expect(headers.get("authorization")).toBe("Basic b");
  });

  test("goes to the right path whatever the base ends with", async () => {
    for (const [base, path] of [
      ["", "/chat/completions"],
      ["/v1/", "/v1/chat/completions"],
      ["/a//", "/a/chat/completions"],
      ["/v1?k=v", "/v1/chat/completions?k=v"],
    ] as const) {
      expect((await askedWith({ base_url: server.url + base })).path).toBe(path);
    }
  });

  test("goes through the proxy", async () => {
    const { path, headers } = await askedWith({ base_url: "http://far.example.org/v1", proxy: server.url });
    expect(path).toBe("http://far.example.org/v1/chat/completions");
    expect(headers.get("host")).toBe("far.example.org");
  });
});

describe("Azure", () => {
  test("has the deployment in the path, and the key in a header of its own", async () => {
    const options = {
      base_url: `${server.url}/openai/deployments/{model}`,
      query: { "api-version": "2024-10-21" },
      api_key: "azure",
      models: ["my gpt/4"],
    };
    const { path, headers } = await askedWith(options, { model: "my gpt/4" });
    expect(path).toBe("/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21");
    expect([headers.get("api-key"), headers.get("authorization")]).toEqual(["azure", null]);
  });

  test("is known by its hosts for its v1 API", async () => {
    const seen: Request[] = [];
    const network = async (...sent: ConstructorParameters<typeof Request>): Promise<Response> => {
      seen.push(new Request(...sent));
      return Response.json(openaiCompletion("Hello"));
    };
    const base_url = "https://name.openai.azure.com/openai/v1/";
    const changes = { fetch: Object.assign(network, { preconnect: () => undefined }) as typeof fetch };
    await using opened = await openaiWith({ base_url, api_key: "azure" }, changes);
    await answerTo(opened.upstream);
    expect(seen[0]?.url).toBe("https://name.openai.azure.com/openai/v1/chat/completions");
    expect(seen[0]?.headers.get("api-key")).toBe("azure");
  });
});

test("a server that won't be asked for the usage is asked once, and then no more", async () => {
  const detail = [
    {
      type: "extra_forbidden",
      loc: ["body", "stream_options", "include_usage"],
      msg: "Extra inputs are not permitted",
    },
  ];
  server.respond = (exchange) => {
    const body = exchange.json() as { stream_options?: unknown };
    exchange.send(body.stream_options ? jsonAnswer({ detail }, 422) : sseAnswer(openaiChunks("Hello")));
  };
  await using opened = await openaiWith({ base_url: server.url });
  for (let time = 0; time < 2; time++) {
    const stream_options = { include_usage: true };
    expect((await answerTo(opened.upstream, { stream: true, stream_options })).error).toBeUndefined();
  }
  expect(server.requests).toHaveLength(3);
});

test("other complaints about a request are the client's", async () => {
  server.respond = (exchange) =>
    exchange.send(jsonAnswer({ error: { message: "temperature is too hot", param: "temperature" } }, 400));
  await using opened = await openaiWith({ base_url: server.url });
  const { error } = await answerTo(opened.upstream, { stream: true });
  expect(error).toMatchObject({ code: "bad-request", param: "temperature" });
  expect(server.requests).toHaveLength(1);
});

describe("keys", () => {
  const two = { api_keys: [{ key: "one" }, { key: "two" }] };
  const tooMany = (exchange: Exchange): void =>
    exchange.send(jsonAnswer({ error: { message: "slow down" } }, 429, { "retry-after": "30" }));

  test("that are at their limit make room for others, within a stream, too", async () => {
    server.respond = (exchange) => {
      if (exchange.headers.get("authorization") === "Bearer two")
        exchange.send(sseAnswer(openaiChunks("Hello")));
      else exchange.send(sseAnswer([`data: {"error":{"code":429,"message":"slow down"}}\n\n`]));
    };
    await using opened = await openaiWith({ base_url: server.url, ...two });
    const { error } = await answerTo(opened.upstream, { stream: true });
    expect(error).toMatchObject({ code: "rate-limited", message: "slow down", otherCredential: true });
    expect((await answerTo(opened.upstream, { stream: true })).error).toBeUndefined();
  });

  test("embed in the same way", async () => {
    server.respond = tooMany;
    await using opened = await openaiWith({ base_url: server.url, ...two });
    const embedding = opened.upstream.embed({ model: "m", input: ["a"] }, testCall().call);
    await expect(embedding).rejects.toMatchObject({ otherCredential: true, retryAfterMs: 30_000 });
    expect(opened.upstream.status()).toMatchObject({ states: { cooling: 1 } });
  });
});

describe("legacy completions", () => {
  const request = { model: "m", prompt: "Once", n: 2, suffix: "end" };

  test("go to the server's own endpoint, plain or streamed", async () => {
    const choice = (index: number, text: string, finish_reason: string | null) => ({
      index,
      text,
      logprobs: null,
      finish_reason,
    });
    const whole = { id: "cmpl-1", object: "text_completion", created: 7, model: "m" };
    server.respond = (exchange) => {
      const { stream } = exchange.json() as { stream?: boolean };
      const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
      if (!stream)
        return exchange.send(
          jsonAnswer({ ...whole, choices: [choice(0, "a", "stop"), choice(1, "b", "length")], usage }),
        );
      const said = [
        choice(0, "a", null),
        choice(1, "b", null),
        choice(0, "", "stop"),
        choice(1, "", "length"),
      ];
      const frames = [
        ...said.map((each) => ({ ...whole, choices: [each] })),
        { ...whole, choices: [], usage },
      ];
      return exchange.send(
        sseAnswer([...frames.map((frame) => `data: ${JSON.stringify(frame)}\n\n`), "data: [DONE]\n\n"]),
      );
    };
    await using opened = await openaiWith({ base_url: server.url });
    for (const stream of [false, true]) {
      const { items, error } = await answerOf(
        opened.upstream.complete({ ...request, stream }, testCall().call),
      );
      expect(error).toBeUndefined();
      expect(items.filter(({ type }) => type === "text")).toEqual([
        { type: "text", text: "a" },
        { type: "text", text: "b", choice: 1 },
      ]);
      expect(items.at(-1)).toMatchObject({ type: "usage", usage: { input: 1, output: 2 } });
      expect(server.requests.at(-1)).toMatchObject({ path: "/completions" });
      expect(server.requests.at(-1)?.json()).toMatchObject(request);
    }
  });

  test.each([404, 405, 501])("are unsupported where the server has none (%d)", async (status) => {
    server.respond = (exchange) => exchange.send(jsonAnswer("not here", status));
    await using opened = await openaiWith({ base_url: server.url });
    const { error } = await answerOf(opened.upstream.complete(request, testCall().call));
    expect(error).toMatchObject({ code: "unsupported" });
  });

  test("of a model that only holds conversations are unsupported", async () => {
    const message = "This is a chat model and not supported in the v1/completions endpoint.";
    server.respond = (exchange) =>
      exchange.send(jsonAnswer({ error: { message, param: "model", code: null } }, 404));
    await using opened = await openaiWith({ base_url: server.url });
    const { error } = await answerOf(opened.upstream.complete(request, testCall().call));
    expect(error).toMatchObject({ code: "unsupported" });
  });

  test("of a model that isn't there say so", async () => {
    server.respond = (exchange) =>
      exchange.send(jsonAnswer({ error: { message: "no", code: "model_not_found" } }, 404));
    await using opened = await openaiWith({ base_url: server.url });
    const { error } = await answerOf(opened.upstream.complete(request, testCall().call));
    expect(error).toMatchObject({ code: "no-such-model" });
  });
});
