import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../support/free-port.ts";
import { ServerProcess } from "../process.ts";
import { contenderOf } from "./contender.ts";
import type { Contender } from "./contender.ts";

const VERSION = "1.15.2";
const FOLDER = join(tmpdir(), `modelyard-bench-portkey-${VERSION}`);
const SERVER = "node_modules/@portkey-ai/gateway/build/start-server.js";

/** What it was released with; with today's releases of these two it doesn't start. */
const OVERRIDES = { hono: "4.9.7", "@hono/node-server": "1.13.5" };

/** Portkey's open-source gateway on Node, from npm. Its trusted hosts are left at the default, which has 127.0.0.1. */
export async function startPortkey(stubUrl: string): Promise<Contender> {
  if (!existsSync(join(FOLDER, SERVER))) install();
  const port = freePort();
  const command = ["node", SERVER, "--headless", `--port=${port}`];
  const options = { cwd: FOLDER, environment: { NODE_ENV: "production" } };
  return contenderOf("portkey", await ServerProcess.answering(command, port, options), {
    authorization: "Bearer sk-stub-0123456789",
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `${stubUrl}/v1`,
  });
}

/** Into a folder beside, which gets its name only when all is there. */
function install(): void {
  const folder = `${FOLDER}.${process.pid}`;
  mkdirSync(folder);
  const dependencies = { "@portkey-ai/gateway": VERSION };
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ private: true, dependencies, overrides: OVERRIDES }),
  );
  const command = ["npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"];
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd: folder });
  if (exitCode !== 0)
    throw new Error(`npm could not install @portkey-ai/gateway ${VERSION}:\n${stderr.toString()}`);
  rmSync(FOLDER, { recursive: true, force: true });
  renameSync(folder, FOLDER);
}
