import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import OpenAI, { APIError, BadRequestError } from "openai";
import type { EmbeddingCreateParams } from "openai/resources/embeddings";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import { jsonAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { rejection } from "../support/rejection.ts";
import { HELLO } from "../support/scripted-gateway.ts";
import type { SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";

/**
 * POST /v1/embeddings with the official client, in front of a server of OpenAI's API.
 * @module
 */
/** Numbers that 32 bits hold exactly, so that no form loses anything. */
const VECTORS = [
  [0.5, -0.25, 1024],
  [-1, 0.125, 3],
  [2.5, 7, -0.0625],
];

const KEY = "sk-test-0123456789";

let server: FaultUpstream;
let gateway: SeveralGateway;
let client: OpenAI;
let answer: (inputs: readonly unknown[]) => object;

beforeAll(async () => {
  server = await startFaultUpstream();
  server.respond = (exchange) => {
    const { input } = exchange.json() as { input: string | readonly unknown[] };
    const isOne = typeof input === "string" || typeof input[0] === "number";
    exchange.send(jsonAnswer(answer(isOne ? [input] : input) as never));
  };
  const models = `{ base_url: "${server.url}/v1", models: [vectors] }`;
  const routes = [
    { model: "chat-only", targets: ["talker"] },
    {
      model: "either",
      targets: [
        { upstream: "talker", model: "chat-only" },
        { upstream: "maker", model: "vectors" },
      ],
    },
  ];
  gateway = await startSeveral(
    { talker: { answers: { "chat-only": HELLO } } },
    `  maker: { plugin: openai, options: ${models} }\ncache: { mode: off }\nroutes: ${JSON.stringify(routes)}\n`,
  );
  client = new OpenAI({ baseURL: gateway.baseURL, apiKey: KEY, maxRetries: 0 });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

type Form = "float" | "base64";

/** As the server says it: as lists or as base64, in whatever order. */
function says(form: Form, { reversed = false, usage = true } = {}) {
  return (inputs: readonly unknown[]) => {
    const data = inputs.map((_, index) => {
      const vector = VECTORS[index] ?? [];
      const embedding = form === "float" ? vector : base64Of(vector);
      return { object: "embedding", index, embedding };
    });
    const told = { prompt_tokens: 11, total_tokens: 11 };
    return {
      object: "list",
      data: reversed ? data.toReversed() : data,
      model: "vectors-v2",
      ...(usage && { usage: told }),
    };
  };
}

function base64Of(vector: readonly number[]): string {
  return Buffer.from(new Float32Array(vector).buffer).toString("base64");
}

beforeEach(() => {
  answer = says("float");
});

function embed(more: Partial<EmbeddingCreateParams> = {}) {
  return client.embeddings.create({ model: "vectors", input: ["a", "b", "c"], ...more });
}

/** The body as it was sent, which the client would decode. */
async function rawBody(
  body: object,
): Promise<{ data: { embedding: unknown; index: number }[]; usage: object }> {
  const response = await fetch(`${gateway.baseURL}/embeddings`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ model: "vectors", ...body }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as never;
}

describe("vectors", () => {
  for (const form of ["float", "base64"] as const) {
    test(`come as the client asked, when the server says them as ${form}`, async () => {
      answer = says(form);
      const { data } = await embed();
      expect(data.map(({ embedding }) => embedding)).toEqual(VECTORS);
      const input = ["a", "b", "c"];
      const floats = await rawBody({ input });
      expect(floats.data.map(({ embedding }) => embedding)).toEqual(VECTORS);
      const coded = await rawBody({ input, encoding_format: "base64" });
      expect(coded.data.map(({ embedding }) => embedding)).toEqual(VECTORS.map(base64Of));
    });
  }

  test("stand in the order of their inputs, whatever order the server sends them in", async () => {
    answer = says("base64", { reversed: true });
    const { data, model } = await embed();
    expect(data.map(({ index, embedding }) => [index, embedding])).toEqual(
      VECTORS.map((vector, index) => [index, vector]),
    );
    expect(model).toBe("vectors-v2");
  });

  test("of which there are too few are a 502", async () => {
    answer = () => says("float")(["a"]);
    expect(await embed().catch((error: unknown) => error)).toMatchObject({
      status: 502,
      code: "upstream_bad_response",
    });
  });
});

test("vectors of another length than was asked for are a 502 that says so", async () => {
  const error = await rejection(embed({ dimensions: 2 }), APIError);
  expect(error).toMatchObject({ status: 502, code: "upstream_bad_response" });
  expect(error.message).toContain("embeddings of 3 numbers where `dimensions` asks for 2");
});

describe("a request", () => {
  test("reaches the server with all that the client wrote", async () => {
    await embed({ input: ["a"], dimensions: 3, user: "alice", encoding_format: "base64" });
    expect(server.requests.at(-1)?.json()).toEqual({
      model: "vectors",
      input: ["a"],
      dimensions: 3,
      user: "alice",
    });
  });

  test("may give a text, a list of texts, or token numbers, and gives the server the same", async () => {
    const forms: [EmbeddingCreateParams["input"], number][] = [
      ["one text", 1],
      [["a", "b"], 2],
      [[1, 2, 3], 1],
      [[[1, 2], [3]], 2],
    ];
    for (const [input, count] of forms) {
      const { data } = await embed({ input });
      expect(server.requests.at(-1)?.json()).toEqual({ model: "vectors", input });
      expect(data).toHaveLength(count);
    }
  });

  test("in a form that only some servers know reaches them as it is, and so does their answer the client", async () => {
    const own = ["AAE=", "/w=="];
    answer = (inputs) => ({ data: inputs.map((_, index) => ({ index, embedding: own[index] })) });
    const body = { input: [{ image: "data:image/png;base64,AA==" }, "a text"], encoding_format: "ubinary" };
    const { data } = await rawBody(body);
    expect(server.requests.at(-1)?.json()).toEqual({ model: "vectors", ...body });
    expect(data.map(({ embedding }) => embedding)).toEqual(own);
  });

  test("that says it wrongly is a 400 that names the field", async () => {
    const wrong: [object, string][] = [
      [{ input: [] }, "input"],
      [{ input: "" }, "input"],
      [{ input: [["a"]] }, "input"],
      [{ input: ["a", 1] }, "input"],
      [{ encoding_format: 7 }, "encoding_format"],
      [{ input: undefined }, "input"],
    ];
    const before = server.requests.length;
    for (const [body, param] of wrong) {
      const error = await rejection(embed(body), BadRequestError);
      expect(error.param).toStartWith(param);
    }
    expect(server.requests.length).toBe(before);
  });

  test("that is an empty text is told so", async () => {
    const { message } = await rejection(embed({ input: "" }), BadRequestError);
    expect(message).toEndWith("input: expected string or list or object, found an empty string");
  });

  test("with another endpoint's fields is no mistake of the gateway's", async () => {
    await rawBody({ input: "a", messages: [null] });
  });
});

describe("usage", () => {
  test("is the server's own", async () => {
    expect((await embed()).usage).toEqual({ prompt_tokens: 11, total_tokens: 11 });
    const { response } = await embed().withResponse();
    expect(response.headers.get("x-modelyard-usage")).toBe("upstream");
    expect(response.headers.get("x-modelyard-upstream")).toBe("maker");
  });

  test("is estimated where the server tells none, and says so", async () => {
    answer = says("float", { usage: false });
    const { data, response } = await embed({ input: ["Hello there, how are you?"] }).withResponse();
    expect(response.headers.get("x-modelyard-usage")).toBe("estimated");
    expect(data.usage.prompt_tokens).toBeGreaterThan(4);
    expect(data.usage.prompt_tokens).toBeLessThan(10);
    const tokens = await embed({ input: [[1, 2], [3]] });
    expect(tokens.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  });
});

describe("an upstream that makes no embeddings", () => {
  test("is a 400 that names it", async () => {
    const error = await rejection(embed({ model: "chat-only" }), BadRequestError);
    expect(error.code).toBe("unsupported_parameter");
    expect(error.param).toBe("model");
    expect(error.message).toContain('the upstream "talker" makes no embeddings');
  });

  test("is passed over for free where there is another", async () => {
    const { response } = await embed({ model: "either" }).withResponse();
    expect(response.headers.get("x-modelyard-upstream")).toBe("maker");
    expect(response.headers.get("x-modelyard-attempts")).toBe("1");
  });
});
