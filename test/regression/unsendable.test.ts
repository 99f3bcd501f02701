import { expect, test } from "bun:test";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { jsonAnswer, openaiCompletion, startFaultUpstream } from "../support/fault-upstream.ts";
import { startGateway } from "../support/gateway.ts";

/**
 * What can't be sent as a header is a mistake of the file, told with its line and its variable's name, and never with
 * the value; white space around it is dropped.
 * @module
 */
const KEY = "sk-good-0123456789";

const BAD: readonly (readonly [string, string])[] = [
  [`sk-good\n-0123456789`, "a line end"],
  [`sk-good\r\n-0123456789`, "a line end"],
  [`sk-good\u200b-0123456789`, "an invisible character"],
  [`sk-good\ufeff-0123456789`, "an invisible character"],
  [`sk-good\u00a0-0123456789`, "a blank"],
  [`sk-good -0123456789`, "a blank"],
  [`sk-good\t-0123456789`, "a tab"],
  [`sk-göod-0123456789`, "a character that isn't visible ASCII"],
  [`sk-good-0123456789\u0007`, "a character that isn't visible ASCII"],
  [`\u200bsk-good-0123456789`, "an invisible character"],
  [`"sk-good-0123456789"`, "quotes around it"],
  [`'sk-good-0123456789'`, "quotes around it"],
];

async function check(options: object, environment: Readonly<Record<string, string>>, plugin = "openai") {
  using folder = new GatewayFolder(`upstreams: ${JSON.stringify({ up: { plugin, options } })}\n`);
  const words = ["check", "--config", folder.config];
  await using process = new CodeProcess("src/cli/main.ts", words, { environment });
  return await process.ended();
}

test.each(BAD)("a key %j is refused by the check, and not shown", async (value, why) => {
  const options = { base_url: "http://127.0.0.1:1/v1", api_key: "${OA_KEY}" };
  const { code, stdout, stderr } = await check(options, { OA_KEY: value });
  expect(stdout + stderr).toContain("the value of OA_KEY can't be sent: it has");
  expect(stdout + stderr).toContain(why);
  expect(stdout + stderr).not.toContain("0123456789");
  expect(code).not.toBe(0);
});

const BAD_HEADER = "a\u200bz-0123456789";
const PLACES: readonly (readonly [string, object])[] = [
  ["openai", { base_url: "http://127.0.0.1:1/v1", api_keys: [{ key: "${BAD}" }] }],
  ["openai", { base_url: "http://127.0.0.1:1/v1", headers: { "x-team": "${BAD}" } }],
  ["openai", { base_url: "http://127.0.0.1:1/v1", organization: "${BAD}" }],
  ["openai", { base_url: "http://127.0.0.1:1/v1", project: "${BAD}" }],
  ["anthropic", { api_key: "${BAD}" }],
  ["anthropic", { api_keys: [{ key: "${BAD}" }] }],
  ["anthropic", { api_key: KEY, headers: { "x-team": "${BAD}" } }],
  ["anthropic", { api_key: KEY, version: "${BAD}" }],
  ["anthropic", { api_key: KEY, beta: ["${BAD}"] }],
  ["gemini", { api_key: "${BAD}" }],
  ["gemini", { api_keys: [{ key: "${BAD}" }] }],
  ["gemini", { api_key: KEY, headers: { "x-team": "${BAD}" } }],
  ["langfast", { anon_key: "${BAD}" }],
];

test.each(PLACES)("a mistake of the file is told for %s %j", async (plugin, options) => {
  const { code, stdout, stderr } = await check(options, { BAD: BAD_HEADER }, plugin);
  expect(stdout + stderr).toContain("the value of BAD can't be sent: it has an invisible character");
  expect(stdout + stderr).not.toContain("0123456789");
  expect(code).not.toBe(0);
});

test("a header's name that none can have is a mistake of the file, too", async () => {
  const options = { base_url: "http://127.0.0.1:1/v1", headers: { "x team": "a" } };
  const { code, stdout, stderr } = await check(options, {});
  expect(stdout + stderr).toContain("expected a header's name");
  expect(code).not.toBe(0);
});

test("a client's key in quotes is refused, too", async () => {
  using folder = new GatewayFolder(
    'keys: [{ name: a, key: "${API_MASTER_KEY}" }]\nupstreams: { e: { plugin: echo } }\n',
  );
  await using process = new CodeProcess("src/cli/main.ts", ["check", "--config", folder.config], {
    environment: { API_MASTER_KEY: '"sk-good-0123456789"' },
  });
  const { code, stdout, stderr } = await process.ended();
  expect(stdout + stderr).toContain("the value of API_MASTER_KEY can't be sent: it has quotes around it");
  expect(stdout + stderr).not.toContain("0123456789");
  expect(code).not.toBe(0);
});

test("white space around a key and a header is dropped, and blanks within a header are sent", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => exchange.send(jsonAnswer(openaiCompletion("hello")));
  const options = {
    base_url: `${upstream.url}/v1`,
    api_key: "${OA_KEY}",
    organization: "${ORG}",
    headers: { "x-team": "${TEAM}" },
    models: ["m"],
  };
  await using gateway = await startGateway(
    `upstreams: ${JSON.stringify({ up: { plugin: "openai", options } })}\n`,
    {
      environment: { OA_KEY: `\ufeff  ${KEY}\u00a0\r\n`, ORG: " org-1\n", TEAM: "\tthe sea and the sky " },
    },
  );
  const response = await gateway.chat({ model: "m", messages: [{ role: "user", content: "Hi" }] });
  expect(response.status).toBe(200);
  const [{ headers } = { headers: new Headers() }] = upstream.requests;
  expect(headers.get("authorization")).toBe(`Bearer ${KEY}`);
  expect(headers.get("openai-organization")).toBe("org-1");
  expect(headers.get("x-team")).toBe("the sea and the sky");
});
