import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { EmbedRequest, Json } from "modelyard/plugin";
import { jsonAnswer, startFaultUpstream } from "../../test/support/fault-upstream.ts";
import type { FaultUpstream } from "../../test/support/fault-upstream.ts";
import { openaiWith } from "../../test/support/openai-upstream.ts";
import { testCall } from "../../test/support/plugin-host.ts";

let server: FaultUpstream;
beforeEach(async () => {
  server = await startFaultUpstream();
});
afterEach(() => server[Symbol.asyncDispose]());

describe("embeddings", () => {
  const request: EmbedRequest = { model: "m", input: ["a", "b"], dimensions: 2 };
  const base64 = Buffer.from(new Float32Array([0.5, -2]).buffer).toString("base64");

  async function embedded(body: Json, more: Partial<EmbedRequest> = {}) {
    server.respond = (exchange) => exchange.send(jsonAnswer(body));
    await using opened = await openaiWith({ base_url: server.url });
    return opened.upstream.embed({ ...request, ...more }, testCall().call);
  }

  test("are numbers or base64, in the order of their index", async () => {
    const usage = { prompt_tokens: 4, total_tokens: 4 };
    const data = [
      { object: "embedding", index: 1, embedding: base64 },
      { object: "embedding", index: 0, embedding: [1, 2.5] },
    ];
    const result = await embedded({ object: "list", data, model: "real", usage, id: "e1" });
    expect(result).toEqual({
      vectors: [[1, 2.5], new Float32Array([0.5, -2])],
      usage: { input: 4, raw: usage },
      model: "real",
      fields: { id: "e1" },
    });
    expect(server.requests[0]?.json()).toEqual(request);
  });

  test("in an encoding of the server's own are texts as they are", async () => {
    const own = { encoding_format: "ubinary" };
    const data = [{ embedding: "AAA=" }, { embedding: [1, 255] }];
    expect(await embedded({ data }, own)).toEqual({ vectors: ["AAA=", [1, 255]] });
    expect(server.requests[0]?.json()).toEqual({ ...request, ...own });
  });

  test("without index or usage are taken in the order in which they came", async () => {
    const result = await embedded({ data: [{ embedding: [1] }, { embedding: [2] }] });
    expect(result).toEqual({ vectors: [[1], [2]] });
  });

  test.each([
    { data: [{ embedding: [1] }] },
    { data: [{ embedding: [1] }, { embedding: ["2"] }] },
    { data: [{ embedding: [1] }, { embedding: "AAA=" }] },
    {
      data: [
        { embedding: [1], index: 0 },
        { embedding: [2], index: 0 },
      ],
    },
    { data: [{ embedding: [1] }, { embedding: [2] }, { embedding: [3] }] },
    { data: null },
    {},
  ])("that don't fit the inputs are a bad response: %j", async (body) => {
    await expect(embedded(body)).rejects.toMatchObject({ code: "bad-response" });
  });

  test.each([
    [{ data: [{ embedding: [1] }, { embedding: [0.1, null, 0.2] }] }, /no embedding of input 1/],
    [{ data: [{ embedding: [] }, { embedding: [1] }] }, /no embedding of input 0/],
    [{ data: [{ embedding: "AAA=" }, { embedding: [1] }] }, /no embedding of input 0/],
    [{ error: { message: "the model sleeps" } }, /the model sleeps/],
    [{ object: "list" }, /no list of embeddings/],
  ] as [Json, RegExp][])("say what was wrong: %j", async (body, words) => {
    await expect(embedded(body)).rejects.toMatchObject({ message: expect.stringMatching(words) });
  });
});
