import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import type { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { startMain } from "../support/gateway-process.ts";
import { ask, folderWith } from "../support/process-settings.ts";
import { say, spent, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * A restart gives nobody anew what they have used up, whether the gateway was stopped or killed.
 * @module
 */
const ANSWERS = {
  used: [say("Hello"), stop(), spent(100, 20)],
  hangs: [say("Hello"), { hang: true } as const],
};
const KEYS = [
  { name: "budget", budget: { tokens: 120, per: "month" } },
  { name: "dollars", budget: { usd: 0.0012, per: "month" } },
  { name: "day", limits: { requests_per_day: 3, tokens_per_minute: 90_000 } },
  { name: "minute", limits: { tokens_per_minute: 1_000 } },
].map((settings) => ({ ...settings, key: keyOf(settings.name) }));
const YAML = `server: { port: 0 }
storage: { database: "sqlite:./restart.db" }
keys: ${JSON.stringify(KEYS)}
prices: ./prices.yaml
`;
/** By these an answer costs 0.0012 USD. */
const PRICES = `version: "2026-01-01"
prices:
  - { model: ["scripted/used"], input: 10, output: 10 }
`;

function keyOf(name: string): string {
  return `sk-restart-${name}-0123456789`;
}

async function request(url: string, name: string) {
  const response = await ask(url, "used", { key: keyOf(name), stream: false, max_tokens: 450 });
  const body = (await response.json()) as { readonly error?: { readonly code: string } };
  const left = (what: string) => response.headers.get(`x-ratelimit-remaining-${what}`);
  return { status: response.status, code: body.error?.code, left, headers: response.headers };
}

function folder(): GatewayFolder {
  const made = folderWith(ANSWERS, YAML);
  made.write("prices.yaml", PRICES);
  return made;
}

/** How many requests the ledger has, and how many of them have ended. */
function counted({ path }: GatewayFolder): { readonly all: number; readonly ended: number } {
  using database = new Database(join(path, "restart.db"), { readonly: true });
  const query = "SELECT count(*) AS 'all', count(outcome) AS ended FROM requests";
  return database.query<{ all: number; ended: number }, []>(query).get() ?? { all: 0, ended: 0 };
}

const ENDS: Readonly<Record<string, (gateway: CodeProcess) => void>> = {
  "was stopped": (gateway) => gateway.signal("SIGTERM"),
  "was killed": (gateway) => gateway.signal("SIGKILL"),
};

test.each(Object.keys(ENDS))(
  "what keys have used up stays so after the gateway %s",
  async (how) => {
    using home = folder();
    await using first = startMain(home);
    const before = await first.listening();
    for (const name of ["budget", "dollars", "day", "day"]) {
      expect([name, (await request(before, name)).status]).toEqual([name, 200]);
    }
    await until(() => counted(home).ended === 4, "the requests to be booked");
    ENDS[how]?.(first);
    await first.ended();

    await using second = startMain(home);
    const after = await second.listening();
    for (const name of ["budget", "dollars"]) {
      const refused = await request(after, name);
      expect([name, refused.status, refused.code]).toEqual([name, 429, "insufficient_quota"]);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(refused.headers.get("x-should-retry")).toBe("false");
    }
    const last = await request(after, "day");
    expect([last.status, last.left("requests")]).toEqual([200, "0"]);
    const refused = await request(after, "day");
    expect([refused.status, refused.code]).toEqual([429, "rate_limit_exceeded"]);
    // The first of the three was a moment ago, so that its place is free in nearly a day; the tokens are a minute's.
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(80_000);
    expect(refused.left("tokens")).toBe(String(90_000 - 3 * 120));
  },
  60_000,
);

test("what running answers had reserved of a minute's tokens when the gateway was killed is not given back", async () => {
  using home = folder();
  await using first = startMain(home);
  const before = await first.listening();
  const running = await Promise.all(
    [1, 2].map(() => ask(before, "hangs", { key: keyOf("minute"), max_tokens: 450 })),
  );
  expect(running.map(({ status }) => status)).toEqual([200, 200]);
  await until(() => counted(home).all === 2, "the requests to be booked");
  first.signal("SIGKILL");
  await first.ended();
  await Promise.allSettled(running.map((response) => response.text()));

  await using second = startMain(home);
  const refused = await request(await second.listening(), "minute");
  expect([refused.status, refused.code]).toEqual([429, "rate_limit_exceeded"]);
  expect(Number(refused.headers.get("retry-after"))).toBeWithin(1, 61);
}, 60_000);
