import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, expect, test } from "bun:test";
import OpenAI, { RateLimitError } from "openai";
import { foldChunks } from "../../test/support/fold-chunks.ts";
import { startGateway } from "../../test/support/gateway.ts";
import type { RunningGateway } from "../../test/support/gateway.ts";
import { openaiWith } from "../../test/support/openai-upstream.ts";
import { testCall } from "../../test/support/plugin-host.ts";
import { rejection } from "../../test/support/rejection.ts";

/**
 * A server of OpenAI's API that others wrote, behind the gateway.
 * @module
 */
let peer: LLMock;
let gateway: RunningGateway;
let clients: readonly [direct: OpenAI, through: OpenAI];

beforeAll(async () => {
  peer = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent" });
  peer.onMessage("hello", { content: "Hi there, Łódź \u{1F600}!" });
  peer.onMessage("think", { content: "42", reasoning: "Let me see." });
  peer.onMessage("weather", {
    toolCalls: [
      { id: "call_a", name: "weather", arguments: '{"city":"Paris"}' },
      { id: "call_b", name: "weather", arguments: '{"city":"Rome"}' },
    ],
  });
  peer.onMessage("limit", { error: { message: "slow down", type: "rate_limit_error" }, status: 429 });
  peer.onEmbedding("vector", { embedding: [0.5, -1, 2] });
  await peer.start();
  gateway = await startGateway(
    `upstreams: { peer: { plugin: openai, options: { base_url: "${peer.url}/v1", api_key: sk-peer } } }\nroutes: [{ model: "*", targets: [peer] }]\n`,
  );
  const client = (baseURL: string, apiKey: string) => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  clients = [client(`${peer.url}/v1`, "sk-peer"), client(gateway.baseURL, gateway.key)];
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await peer.stop();
});

const asking = (content: string) => ({ model: "gpt-4o", messages: [{ role: "user" as const, content }] });

function withoutNulls(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_, inner: unknown) => (inner === null ? undefined : inner));
}

test.each(["hello", "think", "weather"])(
  "says the same directly and through the gateway: %s",
  async (content) => {
    const [direct, through] = await Promise.all(
      clients.map(async (client) => (await client.chat.completions.create(asking(content))).choices),
    );
    expect(withoutNulls(through)).toEqual(withoutNulls(direct));
    const [streamed, streamedThrough] = await Promise.all(
      clients.map(async (client) => {
        const chunks = await Array.fromAsync(
          await client.chat.completions.create({ ...asking(content), stream: true }),
        );
        return foldChunks(chunks)["choices"];
      }),
    );
    expect(withoutNulls(streamedThrough)).toEqual(withoutNulls(streamed));
  },
);

test("its refusal is the client's", async () => {
  const refused = await rejection(clients[1].chat.completions.create(asking("limit")), RateLimitError);
  expect(refused).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
});

test("its models are listed, and it embeds", async () => {
  const models = await Array.fromAsync(clients[0].models.list());
  await using opened = await openaiWith({ base_url: `${peer.url}/v1` });
  const { call } = testCall();
  const listed = await opened.upstream.models(call.signal);
  expect(listed.map(({ id }) => id)).toEqual(models.map(({ id }) => id));
  const embedded = await opened.upstream.embed({ model: "text-embedding-3-small", input: ["vector"] }, call);
  expect(embedded.vectors).toEqual([[0.5, -1, 2]]);
  const numbers = { model: "text-embedding-3-small", input: ["vector"], encoding_format: "base64" };
  const decoded = await opened.upstream.embed(numbers, call);
  expect(decoded.vectors).toEqual([[0.5, -1, 2]]);
});
