import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ChatRequest, JsonObject } from "modelyard/plugin";
import { Value } from "@sinclair/typebox/value";
import { CHAT_REQUEST_FIELD_NAMES, chatRequestWith } from "../../test/support/chat-request-fields.ts";
import { jsonAnswer, sseAnswer, startFaultUpstream } from "../../test/support/fault-upstream.ts";
import type { FaultUpstream } from "../../test/support/fault-upstream.ts";
import { outcomeOf } from "../../test/support/pieces.ts";
import { testCall, testHost } from "../../test/support/plugin-host.ts";
import type { TestHost } from "../../test/support/plugin-host.ts";
import { Gemini } from "./gemini.ts";
import plugin from "./index.ts";
import { options as schema } from "./options.ts";
import type { Options } from "./options.ts";

let upstream: FaultUpstream;
let host: TestHost;

beforeEach(async () => {
  upstream = await startFaultUpstream();
  upstream.respond = (exchange) => exchange.send(jsonAnswer(ANSWER));
  host = testHost();
});

afterEach(async () => {
  await host.close();
  await upstream[Symbol.asyncDispose]();
});

const ANSWER = { candidates: [{ content: { parts: [{ text: "Hi" }] }, finishReason: "STOP", index: 0 }] };
const MESSAGES = [{ role: "user", content: "Hi" }];

function opened(options: JsonObject = {}): Gemini {
  const given = Value.Default(schema, {
    base_url: `${upstream.url}/v1beta/`,
    ...(options["api_keys"] === undefined && { api_key: "key-1" }),
    ...options,
  }) as Options;
  const gemini = new Gemini(given, host.host);
  gemini.start();
  return gemini;
}

async function ask(gemini: Gemini, fields: JsonObject = {}, overrides: { attempt?: number } = {}) {
  const { call, ignored } = testCall(overrides);
  const request = { model: "gemini-2.5-flash", messages: MESSAGES, ...fields } as ChatRequest;
  try {
    return { ...(await outcomeOf(await gemini.chat(request, call))), ignored };
  } catch (error) {
    return { items: [], error, ignored };
  }
}

const lastBody = () => upstream.requests.at(-1)?.json() as Record<string, unknown>;

describe("a request", () => {
  test("is plain where the client's is, with the key in a header and never in the address", async () => {
    const { items, error } = await ask(opened({ headers: { "x-team": "a" } }));
    expect(error).toBeUndefined();
    expect(items.map(({ type }) => type)).toEqual(["text", "finish"]);
    const [request] = upstream.requests;
    expect(request).toMatchObject({
      method: "POST",
      path: "/v1beta/models/gemini-2.5-flash:generateContent",
    });
    expect([request?.headers.get("x-goog-api-key"), request?.headers.get("x-team")]).toEqual(["key-1", "a"]);
    expect(lastBody()).toEqual({ contents: [{ role: "user", parts: [{ text: "Hi" }] }] });
    expect(host.secrets).toContain("key-1");
  });

  test("is streamed where the client's is, and understood when it is answered plainly", async () => {
    upstream.respond = (exchange) => exchange.send(sseAnswer([`data: ${JSON.stringify(ANSWER)}\r\n\r\n`]));
    const streamed = await ask(opened(), { stream: true, n: 1 });
    expect(upstream.requests[0]?.path).toBe("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    upstream.respond = (exchange) => exchange.send(jsonAnswer(ANSWER));
    expect((await ask(opened(), { stream: true })).items).toEqual(streamed.items);
    expect(streamed.items).toHaveLength(2);
  });

  test.each(CHAT_REQUEST_FIELD_NAMES)("says what becomes of the field %s", async (field) => {
    const gemini = opened();
    await ask(gemini, { messages: MESSAGES });
    const without = JSON.stringify(lastBody());
    const whole = chatRequestWith(field) as JsonObject;
    const { items, error, ignored } = await ask(gemini, { ...whole, model: "gemini-2.5-flash" });
    const isNamed = [...ignored.keys()].some((name) => name === field || name.startsWith(`${field}.`));
    const { path } = upstream.requests.at(-1) ?? {};
    const reached = JSON.stringify(lastBody()) !== without || path?.endsWith("alt=sse") === true;
    const fate = error
      ? (error as { code: string; param: string }).code
      : isNamed
        ? "named"
        : reached
          ? "sent"
          : "lost";
    expect(fate).toBe(FATES[field] ?? "sent");
    if (error)
      expect(error).toMatchObject({
        param:
          field === "audio" || field === "modalities"
            ? expect.any(String)
            : expect.stringContaining(field === "function_call" ? "function" : field),
      });
    else expect(items.length).toBeGreaterThan(0);
  });

  test("that can't be Google's is never sent", async () => {
    const { error } = await ask(opened(), { model: "../../v1/secret" });
    expect(error).toMatchObject({ code: "no-such-model" });
    expect(upstream.requests).toHaveLength(0);
  });
});

/** What becomes of each field that is not simply sent. */
const FATES: Record<string, string> = {
  ...Object.fromEntries(
    ["audio", "modalities", "functions", "function_call", "web_search_options"].map((name) => [
      name,
      "unsupported",
    ]),
  ),
  ...Object.fromEntries(
    [
      "logit_bias",
      "metadata",
      "moderation",
      "parallel_tool_calls",
      "prediction",
      "prompt_cache_key",
      "prompt_cache_options",
      "prompt_cache_retention",
      "safety_identifier",
      "store",
      "stream_options",
      "user",
      "verbosity",
    ].map((name) => [name, "named"]),
  ),
};

describe("an error", () => {
  const error = (code: number, status: string, message = "no", details: JsonObject[] = []) => ({
    error: { code, status, message, details },
  });

  test.each([
    [400, error(400, "INVALID_ARGUMENT"), "bad-request"],
    [400, error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), "rejected"],
    [400, error(400, "INVALID_ARGUMENT", "no", [{ reason: "API_KEY_INVALID" }]), "rejected"],
    [400, error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), "rejected"],
    [
      400,
      error(
        400,
        "INVALID_ARGUMENT",
        "The input token count (9) exceeds the maximum number of tokens allowed (8).",
      ),
      "context-length",
    ],
    [401, error(401, "UNAUTHENTICATED"), "rejected"],
    [403, error(403, "PERMISSION_DENIED"), "rejected"],
    [
      403,
      error(
        403,
        "PERMISSION_DENIED",
        "You do not have permission to access the File abc or it may not exist.",
      ),
      "bad-request",
    ],
    [403, error(403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)"), "bad-request"],
    [404, error(404, "NOT_FOUND", "models/x is not found for API version v1beta"), "no-such-model"],
    [429, [error(429, "RESOURCE_EXHAUSTED")], "rate-limited"],
    [500, error(500, "INTERNAL"), "failed"],
    [503, error(503, "UNAVAILABLE", "The model is overloaded."), "unavailable"],
    [504, error(504, "DEADLINE_EXCEEDED"), "timeout"],
  ])("with status %d: %j", async (status, body, code) => {
    upstream.respond = (exchange) => exchange.send(jsonAnswer(body as never, status));
    expect((await ask(opened())).error).toMatchObject({ code });
  });

  test("says when to come back", async () => {
    const body = await Bun.file(new URL("fixtures/overloaded.json", import.meta.url)).json();
    upstream.respond = (exchange) => exchange.send(jsonAnswer(body, 429));
    expect((await ask(opened(), { stream: true })).error).toMatchObject({
      code: "rate-limited",
      retryAfterMs: 34_000,
    });
  });
});

test("another key is used at once when one is at its limit, and not the first one again", async () => {
  upstream.respond = (exchange) => {
    const isSpent = exchange.headers.get("x-goog-api-key") === "spent-1";
    exchange.send(isSpent ? jsonAnswer({ error: { code: 429, message: "no" } }, 429) : jsonAnswer(ANSWER));
  };
  const gemini = opened({
    api_keys: [
      { key: "spent-1", weight: 100 },
      { key: "good-2", weight: 0.01 },
    ],
  });
  expect((await ask(gemini)).error).toMatchObject({ code: "rate-limited", otherCredential: true });
  for (let attempt = 2; attempt < 5; attempt++)
    expect((await ask(gemini, {}, { attempt })).error).toBeUndefined();
  expect(upstream.requests.map(({ headers }) => headers.get("x-goog-api-key"))).toEqual([
    "spent-1",
    "good-2",
    "good-2",
    "good-2",
  ]);
  expect(JSON.stringify(gemini.status())).not.toContain("spent-1");
});

describe("embeddings", () => {
  const embed = (gemini: Gemini, fields: JsonObject) => {
    const { call, ignored } = testCall();
    const asked = gemini.embed({ model: "gemini-embedding-001", input: ["a"], ...fields } as never, call);
    return { asked, ignored };
  };

  test("are asked for in batches of a hundred, in order", async () => {
    let next = 0;
    upstream.respond = (exchange) => {
      const { requests } = exchange.json() as { requests: unknown[] };
      const embeddings = requests.map(() => ({ values: [next++, 0.5] }));
      exchange.send(jsonAnswer({ embeddings, usageMetadata: { promptTokenCount: requests.length } }));
    };
    const input = Array.from({ length: 230 }, (_, index) => `text ${index}`);
    const { asked, ignored } = embed(opened(), { input, dimensions: 2, user: "me" });
    const { vectors, usage } = await asked;
    expect(vectors.map(([first]) => first)).toEqual(input.map((_, index) => index));
    expect(usage).toEqual({ input: 230 });
    expect([...ignored.keys()]).toEqual(["user"]);
    expect(upstream.requests).toHaveLength(3);
    expect(upstream.requests[0]?.path).toBe("/v1beta/models/gemini-embedding-001:batchEmbedContents");
    expect(upstream.requests[2]?.json()).toHaveProperty("requests[29]", {
      model: "models/gemini-embedding-001",
      content: { parts: [{ text: "text 229" }] },
      outputDimensionality: 2,
    });
  });

  test("of token numbers are refused, and what isn't a vector for each text is no answer", async () => {
    const gemini = opened();
    await expect(embed(gemini, { input: [[1, 2]] }).asked).rejects.toMatchObject({
      code: "unsupported",
      param: "input[0]",
    });
    expect(upstream.requests).toHaveLength(0);
    for (const embeddings of [
      [],
      [{ values: [] }],
      [{ values: ["1"] }],
      [{ values: [1] }, { values: [2] }],
    ]) {
      upstream.respond = (exchange) => exchange.send(jsonAnswer({ embeddings }));
      await expect(embed(gemini, {}).asked).rejects.toMatchObject({ code: "bad-response" });
    }
  });

  test.each<[JsonObject, string, RegExp]>([
    [{ error: { code: 503, status: "UNAVAILABLE", message: "No room." } }, "unavailable", /^No room\.$/],
    [{ embeddings: [{ values: [0.5, null] }] }, "bad-response", /no vector for text 0/],
    [{ embeddings: [{ values: [] }] }, "bad-response", /no vector for text 0/],
    [{ embeddings: [{}, {}] }, "bad-response", /2 vectors for 1 texts/],
  ])("say what is wrong with %j", async (answer, code, message) => {
    upstream.respond = (exchange) => exchange.send(jsonAnswer(answer));
    const { asked } = embed(opened(), {});
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe("the list of models", () => {
  test("is read page by page, and has what can chat or embed", async () => {
    const pages: Record<string, JsonObject> = {
      "/v1beta/models?pageSize=1000": {
        models: [
          {
            name: "models/gemini-2.5-pro",
            inputTokenLimit: 1_048_576,
            outputTokenLimit: 65_536,
            supportedGenerationMethods: ["generateContent", "countTokens"],
            thinking: true,
          },
          { name: "models/imagen-4", supportedGenerationMethods: ["predict"] },
        ],
        nextPageToken: "a b",
      },
      "/v1beta/models?pageSize=1000&pageToken=a%20b": {
        models: [
          {
            name: "models/gemini-embedding-001",
            inputTokenLimit: 2048,
            outputTokenLimit: 1,
            supportedGenerationMethods: ["embedContent"],
          },
        ],
      },
    };
    upstream.respond = (exchange) => exchange.send(jsonAnswer(pages[exchange.path] ?? {}, 200));
    expect(await opened().models(new AbortController().signal)).toEqual([
      {
        id: "gemini-2.5-pro",
        ownedBy: "google",
        capabilities: { context: 1_048_576, output: 65_536, reasoning: true },
      },
      { id: "gemini-embedding-001", ownedBy: "google", capabilities: { context: 2048 } },
    ]);
    expect(upstream.requests.map(({ headers }) => headers.get("x-goog-api-key"))).toEqual(["key-1", "key-1"]);
  });

  test("is the configured one, without asking", async () => {
    expect(await opened({ models: ["gemini-x"] }).models(new AbortController().signal)).toEqual([
      { id: "gemini-x", ownedBy: "google" },
    ]);
    expect(upstream.requests).toHaveLength(0);
  });

  test("is asked for with another key if one is refused", async () => {
    upstream.respond = (exchange) => {
      const isGood = exchange.headers.get("x-goog-api-key") === "two";
      const models = [{ name: "models/gemini-x", supportedGenerationMethods: ["generateContent"] }];
      exchange.send(isGood ? jsonAnswer({ models }) : jsonAnswer({ error: { message: "no" } }, 401));
    };
    const keys = opened({ api_keys: [{ key: "one" }, { key: "two" }] });
    expect(await keys.models(new AbortController().signal)).toMatchObject([{ id: "gemini-x" }]);
    await expect(opened().models(new AbortController().signal)).rejects.toMatchObject({ code: "rejected" });
  });

  test("ends, though the pages don't", async () => {
    upstream.respond = (exchange) => exchange.send(jsonAnswer({ models: [], nextPageToken: "x" }));
    expect(await opened().models(new AbortController().signal)).toEqual([]);
    expect(upstream.requests).toHaveLength(20);
  });
});

test("options without a key are refused", () => {
  expect(() => plugin.open(Value.Default(schema, {}) as Options, host.host)).toThrow("api_key");
});
