import { afterAll, describe, expect, test } from "bun:test";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { HELLO, SCRIPTED_PLUGIN } from "../support/scripted-gateway.ts";
import { severalUpstreams } from "../support/several-gateway.ts";

/**
 * `modelyard explain`: where a name leads, without asking for an answer.
 * @module
 */
const UPSTREAMS = severalUpstreams({
  one: { answers: { "gpt-4": HELLO, shared: HELLO } },
  two: { answers: { "gpt-4": HELLO, shared: HELLO }, models: ["shared"] },
  off: { answers: { x: HELLO }, enabled: false },
});

const ROUTES = [
  { model: "gpt-*", targets: ["off", "one"], on_context_length: "next" },
  { model: "pair", strategy: "weighted", targets: [{ upstream: "one", model: "shared", weight: 3 }, "two"] },
  { model: "closed", targets: ["off"] },
  { model: "two/shared", targets: [{ upstream: "one", model: "shared" }] },
];

const folder = new GatewayFolder(
  `keys:
  - { name: few, key: sk-few-0123456789, models: ["gpt-*"] }
  - { name: old, key: sk-old-0123456789, expires: 2020-01-01 }
${UPSTREAMS}routes: ${JSON.stringify(ROUTES)}
`,
  { "scripted.ts": SCRIPTED_PLUGIN },
);
afterAll(() => folder[Symbol.dispose]());

async function explain(...parameters: string[]) {
  return await explainIn(folder, ...parameters);
}

async function explainIn({ config }: GatewayFolder, ...parameters: string[]) {
  await using process = new CodeProcess("src/cli/main.ts", ["explain", "--config", config, ...parameters]);
  return await process.ended();
}

const LEADS: Readonly<Record<string, string>> = {
  "gpt-4": `"gpt-4" with any key
goes by route gpt-*, to
  1. one/gpt-4
  not off: it is disabled, or could not be opened
  a conversation that is too long for one goes to the next
`,
  shared: `"shared" with any key
goes by the upstreams that list it, tried in this order:
  1. one/shared
  2. two/shared
`,
  "one/anything": `"one/anything" with any key
goes by address one/anything, to
  1. one/anything
`,
  "two/shared": `"two/shared" with any key
goes by route two/shared, to
  1. one/shared
  address two/shared would fit as well, but comes later
`,
};

describe("modelyard explain", () => {
  for (const [model, said] of Object.entries(LEADS)) {
    test(`says where ${model} leads, and why`, async () => {
      const { code, stdout, stderr } = await explain("--model", model);
      expect(stderr).toBe("");
      expect(stdout).toBe(said);
      expect(code).toBe(0);
    });
  }

  test("says what chance has to do with it", async () => {
    const { code, stdout } = await explain("--model", "pair");
    expect(code).toBe(0);
    expect(stdout).toContain("route pair, the first by chance and weight (this is one draw)");
    expect(stdout).toContain("one/shared  weight 3\n");
    expect(stdout).toContain("two/pair  weight 1\n");
  });

  test("says what a key may, by its name", async () => {
    const allowed = await explain("--model", "gpt-4", "--key", "few");
    expect(allowed.code).toBe(0);
    expect(allowed.stdout).toStartWith('"gpt-4" with the key "few"\n');
    const refused = await explain("--model", "one/gpt-4", "--key", "few");
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("refused with 403 model_not_allowed");
    const expired = await explain("--model", "gpt-4", "--key", "old");
    expect(expired.code).toBe(1);
    expect(expired.stdout).toContain('refused with 403 key_expired: the key "old" expired on 2020-01-01');
    const unknown = await explain("--model", "gpt-4", "--key", "nobody");
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('there is no key "nobody"');
  });

  test("says which limits hold for a key, and for all keys at an upstream", async () => {
    using limited = new GatewayFolder(
      `keys:
  - { name: bob, key: sk-bob-0123456789, limits: { concurrent_requests: 4 }, budget: { usd: 20 } }
key_defaults: { limits: { requests_per_minute: 60 } }
upstreams: { one: { plugin: ./scripted.ts, options: { answers: {} }, limits: { concurrent_requests: 50 } } }
`,
      { "scripted.ts": SCRIPTED_PLUGIN },
    );
    const anybody = await explainIn(limited, "--model", "one/x");
    expect(anybody.stdout).toEndWith(`  1. one/x
  limits of any key without its own: 60 requests/min
  limits of one, for all keys together: 50 at once
`);
    const bob = await explainIn(limited, "--model", "one/x", "--key", "bob");
    expect(bob.stdout).toContain(`  limits of the key "bob": 60 requests/min, 4 at once
  budget of the key "bob": 20 USD per month
`);
  });

  test("says how a request would be refused", async () => {
    const closed = await explain("--model", "closed");
    expect(closed.code).toBe(1);
    expect(closed.stdout).toContain("503 upstream_unavailable: route closed leads to no upstream");
    const missing = await explain("--model", "sharde");
    expect(missing.code).toBe(1);
    expect(missing.stdout).toContain(
      '404 model_not_found: there is no model "sharde"; did you mean "shared"?',
    );
  });

  test("says how it is used when it is used wrongly, and ends with 2", async () => {
    for (const parameters of [[], ["--modle", "x"], ["--model"]]) {
      const { code, stdout, stderr } = await explain(...parameters);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("usage: bun run modelyard explain --model MODEL");
      expect(stderr).not.toContain("    at ");
    }
  });
});
