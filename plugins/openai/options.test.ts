import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import { startGateway } from "../../test/support/gateway.ts";
import { areOptions, filledOptions, openaiWith } from "../../test/support/openai-upstream.ts";
import { testHost } from "../../test/support/plugin-host.ts";
import plugin from "./index.ts";
import { PRESETS } from "./presets.ts";

const URL_OF_MINE = "http://127.0.0.1:9/v1";

describe("options", () => {
  test.each([
    { preset: "ollama" },
    { preset: "groq", api_key: "gsk" },
    { base_url: URL_OF_MINE },
    { base_url: URL_OF_MINE, api_keys: [{ key: "a", weight: 3 }, { key: "b" }] },
    { base_url: URL_OF_MINE, headers: { "x-team": "a" }, query: { "api-version": "1" }, proxy: "http://p:1" },
    { base_url: URL_OF_MINE, organization: "org", project: "proj" },
    { base_url: URL_OF_MINE, models: ["a", { id: "b", tools: true, vision: false, context: 8192 }] },
  ])("are %j", async (given) => {
    expect(areOptions(filledOptions(given))).toBe(true);
    await using opened = await openaiWith(given);
    expect(opened.upstream.status()).toBeObject();
  });

  test.each([
    { preset: "gorq" },
    { base_url: "ftp://example.org" },
    { base_url: URL_OF_MINE, api_key: "" },
    { base_url: URL_OF_MINE, api_keys: [] },
    { base_url: URL_OF_MINE, api_keys: ["a"] },
    { base_url: URL_OF_MINE, api_keys: [{ key: "a", weight: 0 }] },
    { base_url: URL_OF_MINE, headers: { a: 1 } },
    { base_url: URL_OF_MINE, models: [] },
    { base_url: URL_OF_MINE, models: [{ id: "a", tool: true }] },
    { base_url: URL_OF_MINE, apikey: "a" },
  ])("are not %j", (given) => {
    expect(areOptions(filledOptions(given))).toBe(false);
  });

  test.each([
    { given: {}, message: "base_url or preset is missing" },
    { given: { preset: "vllm", base_url: URL_OF_MINE }, message: "exclude each other" },
    {
      given: { base_url: "http://127.0.0.1:1/v1/chat/completions" },
      message: "ends with /chat/completions, which the gateway adds by itself",
    },
    { given: { base_url: "http://" }, message: "base_url is no address" },
    {
      given: { base_url: URL_OF_MINE, api_key: "a", api_keys: [{ key: "b" }] },
      message: "exclude each other",
    },
    { given: { base_url: URL_OF_MINE, api_keys: [{ key: "a" }, { key: "a" }] }, message: "twice" },
    { given: { preset: "openai" }, message: "api_key is missing: openai needs one" },
    { given: { base_url: "http://h/deployments/{model}" }, message: "models is missing" },
  ])("that can't be meant are refused on opening: $message", async ({ given, message }) => {
    const host = testHost();
    expect(() => plugin.open(filledOptions(given), host.host)).toThrow(message);
    await host.close();
  });

  test("are each described", () => {
    for (const part of Object.values(plugin.options.properties)) expect(part.description).toBeString();
  });
});

test("presets are addresses that OpenAI's paths can be added to", () => {
  for (const { url } of Object.values(PRESETS)) {
    expect(URL.canParse(url)).toBe(true);
    expect(url).not.toMatch(/\/$|\/chat/);
  }
});

test("the README's examples are options, of at most six lines each", async () => {
  const readme = await Bun.file(new URL("README.md", import.meta.url)).text();
  const examples = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = ""]) => yaml);
  expect(examples.length).toBeGreaterThan(4);
  for (const yaml of examples) {
    const { upstreams, options } = parse(yaml) as { upstreams?: Record<string, Example>; options?: object };
    const given = options ?? Object.values(upstreams ?? {})[0]?.options ?? {};
    expect(areOptions(filledOptions(given))).toBe(true);
    await using _opened = await openaiWith(given);
    expect(yaml.trim().split("\n").length).toBeLessThanOrEqual(6);
  }
});

interface Example {
  readonly options: object;
}

describe("in gateway.yaml", () => {
  const yaml = (options: string): string => `upstreams: { it: { plugin: openai, options: ${options} } }\n`;

  test("a key that is empty in the environment is absent", async () => {
    const options = "{ preset: vllm, models: [m], api_key: '${KEY:-}' }";
    await using gateway = await startGateway(yaml(options), { environment: { KEY: "" } });
    expect(gateway.url).toStartWith("http");
    await expect(startGateway(yaml(options.replace("vllm", "groq")))).rejects.toThrow();
  });

  test("keys, headers and the proxy are known as secrets", async () => {
    const options = `{ base_url: "${URL_OF_MINE}", models: [m], api_keys: [{ key: sk-one-1 }, { key: sk-two-2 }], headers: { x-team: team-secret }, proxy: "http://u:proxy-secret@127.0.0.1:9" }`;
    await using gateway = await startGateway(yaml(options));
    const shown = gateway.gateway.redact("sk-one-1 sk-two-2 team-secret http://u:proxy-secret@127.0.0.1:9");
    expect(shown).not.toMatch(/sk-|secret/);
  });
});
