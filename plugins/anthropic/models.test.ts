import { expect, test } from "bun:test";
import type { JsonObject } from "modelyard/plugin";
import { anthropicAt, ask } from "../../test/support/anthropic-upstream.ts";
import { startFaultUpstream } from "../../test/support/fault-upstream.ts";
import type { Exchange } from "../../test/support/fault-upstream.ts";
import { testHost } from "../../test/support/plugin-host.ts";
import plugin from "./index.ts";
import { capabilitiesOf, traitsOf } from "./traits.ts";

const signal = new AbortController().signal;
const yes = { supported: true };
const no = { supported: false };

function reply(exchange: Exchange, status: number, body: object): void {
  exchange.head(status, { "content-type": "application/json" });
  exchange.chunk(JSON.stringify(body));
  exchange.end();
}

const FUTURE = {
  type: "model",
  id: "claude-opus-7",
  created_at: "2027-01-02T00:00:00Z",
  max_input_tokens: 2_000_000,
  max_tokens: 50_000,
  capabilities: {
    image_input: no,
    structured_outputs: yes,
    thinking: { ...yes, types: { adaptive: no, enabled: yes, disabled: yes } },
    effort: { ...yes, low: yes, medium: no, high: yes, max: no, xhigh: null },
  },
};

test("the server's list is read page by page, with what it says that each model can", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => {
    const isFirst = !exchange.path.includes("after_id");
    const older = { type: "model", id: "claude-3-haiku-20240307", created_at: "1970-01-01T00:00:00Z" };
    reply(exchange, 200, {
      data: isFirst ? [FUTURE] : [older, "oops", {}],
      has_more: isFirst,
      last_id: isFirst ? FUTURE.id : older.id,
    });
  };
  expect(await anthropicAt(upstream.url).models(signal)).toEqual([
    {
      id: "claude-opus-7",
      ownedBy: "anthropic",
      created: 1_798_848_000,
      capabilities: {
        tools: true,
        reasoning: true,
        vision: false,
        json_schema: true,
        context: 2_000_000,
        output: 50_000,
      },
    },
    {
      id: "claude-3-haiku-20240307",
      ownedBy: "anthropic",
      capabilities: {
        tools: true,
        reasoning: false,
        vision: true,
        json_schema: false,
        context: 200_000,
        output: 4096,
      },
    },
  ]);
  expect(upstream.requests.map(({ path }) => path)).toEqual([
    "/v1/models?limit=1000",
    "/v1/models?limit=1000&after_id=claude-opus-7",
  ]);
});

test("what the list said decides how a model is asked", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) =>
    exchange.method === "GET"
      ? reply(exchange, 200, { data: [FUTURE], has_more: false })
      : reply(exchange, 200, { type: "message", content: [], stop_reason: "end_turn" });
  const anthropic = anthropicAt(upstream.url);
  const asked = { model: FUTURE.id, reasoning_effort: "high" };
  await ask(anthropic, asked);
  await anthropic.models(signal);
  await ask(anthropic, asked);
  const bodies = upstream.requests
    .filter(({ method }) => method === "POST")
    .map((exchange) => exchange.json());
  expect(bodies).toMatchObject([
    { max_tokens: 64_000, thinking: { type: "adaptive" }, output_config: { effort: "high" } },
    { max_tokens: 50_000, thinking: { type: "enabled", budget_tokens: 16_384 } },
  ]);
});

test("the next key asks for the list when one is refused; other failures are told", async () => {
  await using upstream = await startFaultUpstream();
  const refusal = { type: "error", error: { type: "authentication_error", message: "invalid x-api-key" } };
  upstream.respond = (exchange) =>
    exchange.headers.get("x-api-key") === "sk-ant-test"
      ? reply(exchange, 401, refusal)
      : reply(exchange, 200, { data: [FUTURE] });
  const api_keys = [{ key: "sk-ant-other", weight: 1 }];
  expect(await anthropicAt(upstream.url, { api_keys }).models(signal)).toHaveLength(1);
  const refused = anthropicAt(upstream.url).models(signal);
  expect(await refused.catch((error: unknown) => error)).toMatchObject({ code: "rejected" });
  upstream.respond = (exchange) => reply(exchange, 200, ["?"]);
  const odd = anthropicAt(upstream.url).models(signal);
  expect(await odd.catch((error: unknown) => error)).toMatchObject({ code: "bad-response" });
});

test("a fixed list asks nobody", async () => {
  const models = await anthropicAt("http://127.0.0.1:1", { models: ["claude-opus-5-5", "kimi-k2"] }).models(
    signal,
  );
  expect(models.map(({ id }) => id)).toEqual(["claude-opus-5-5", "kimi-k2"]);
  expect(models[1]?.capabilities).toEqual({});
});

test.each([
  ["claude-2.1", "none", true, true, false],
  ["claude-3-5-sonnet-20241022", "none", true, true, false],
  ["claude-3-7-sonnet-latest", "budget", true, true, false],
  ["claude-sonnet-4-20250514", "budget", true, true, false],
  ["claude-opus-4-1-20250805", "budget", true, true, true],
  ["claude-haiku-4-5-20251001", "budget", true, true, true],
  ["claude-sonnet-4-6", "adaptive", true, true, true],
  ["claude-opus-4-7", "adaptive", false, true, true],
  ["claude-sonnet-5", "adaptive", false, true, true],
  ["claude-fable-5", "adaptive", false, true, true],
  ["claude-haiku-5-5", "adaptive", false, true, true],
  ["claude-sonnet-5-5", "adaptive", false, false, true],
  ["claude-mythos-preview", "adaptive", false, false, true],
  ["claude-opus-9", "adaptive", false, false, true],
  ["anthropic/claude-opus-4.5", "budget", true, true, true],
] as const)("%s thinks by %s", (id, thinking, sampling, forcedTools, structured) => {
  expect(traitsOf(id, undefined)).toMatchObject({ thinking, sampling, forcedTools, structured });
});

test("what isn't known of a model is not claimed", () => {
  expect(capabilitiesOf(traitsOf("kimi-k2", undefined))).toEqual({});
  expect(capabilitiesOf(traitsOf("kimi-k2", { max_tokens: 5 }))).toEqual({ output: 5 });
});

test("a key is needed, or a header that says who asks", () => {
  const { host } = testHost();
  const options: JsonObject = { base_url: "https://example.com", version: "v", beta: [], api_keys: [] };
  const open = (headers: JsonObject) => plugin.open({ ...options, headers } as never, host);
  expect(() => open({})).toThrow("api_key (or api_keys) is missing");
  expect(open({ Authorization: "Bearer token" })).toBeDefined();
});
