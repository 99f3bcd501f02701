import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MODEL } from "../order.ts";
import { ServerProcess } from "../process.ts";
import { contenderOf } from "./contender.ts";
import type { ContenderName } from "./contender.ts";

const KEY = "sk-bench-0123456789";

/** A key with every limit and a budget, none of which is ever reached: all of them are counted for each request. */
const KEYS = `
keys:
  - name: bench
    key: ${KEY}
    limits:
      requests_per_minute: 100000000
      requests_per_day: 100000000
      tokens_per_minute: 1000000000000
      concurrent_requests: 100000
    budget: { usd: 1000000, per: month }
`;

export const NO_CACHE = "cache: { max_size: 0 }\n";
/** Every answer is kept, and given again. */
export const CACHE_ALL = "cache: { mode: all }\n";

/** The part of gateway.yaml that leads to the stub. */
export function stubUpstream(stubUrl: string): string {
  return `
upstreams:
  stub:
    plugin: openai
    options: { base_url: "${stubUrl}/v1", api_key: sk-stub-0123456789, models: [${MODEL}] }
`;
}

/** The same of a stub that speaks Anthropic's API. */
export function messagesUpstream(stubUrl: string): string {
  return `
upstreams:
  stub:
    plugin: anthropic
    options: { base_url: "${stubUrl}", api_key: sk-stub-0123456789, models: [${MODEL}] }
`;
}

/**
 * Modelyard as shipped, from this checkout: what the file doesn't say is at its default, the log too. Its database
 * is its own, in a temporary folder. `yaml` is what the file has besides `server` and `keys`.
 */
export async function startModelyard(name: ContenderName, yaml: string) {
  const directory = mkdtempSync(join(tmpdir(), "modelyard-bench-"));
  const config = join(directory, "gateway.yaml");
  writeFileSync(config, `server: { port: 0 }\n${KEYS}${yaml}`);
  const command = [process.execPath, "src/main.ts", "--config", config];
  const contender = contenderOf(name, await ServerProcess.listening(command), {
    authorization: `Bearer ${KEY}`,
  });
  return {
    ...contender,
    async [Symbol.asyncDispose]() {
      await contender[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
