#!/usr/bin/env -S BUN_CONFIG_MAX_HTTP_REQUESTS=65535 bun --no-install
/**
 * `bun run modelyard COMMAND`.
 * @module
 */
import { version } from "../../package.json";
import { ConfigError } from "../../config/problem.ts";
import { StartupError } from "../errors/startup-error.ts";
import { audit } from "./audit.ts";
import { canary } from "../../toolkit/commands/canary.ts";
import { check } from "./check.ts";
import { explain } from "./explain.ts";
import { keys } from "./keys/keys.ts";
import { usage } from "./usage.ts";
import { isHelp } from "../../toolkit/commands/plugin-help.ts";
import { plugin } from "../../toolkit/commands/plugin.ts";
import { serve } from "./serve.ts";

/** Runs a command with the arguments after its name, and returns the exit code. */
type Command = (argv: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, Command>> = {
  audit,
  canary,
  serve,
  check,
  explain,
  keys,
  plugin,
  usage,
};

const USAGE = `usage: bun run modelyard COMMAND [--config PATH]

  serve               run the gateway, as \`bun run start\` does
  check               check gateway.yaml: opens every upstream and closes it again,
                      without network and without writing anything
  explain --model MODEL [--key NAME]
                      where a request for a model would go, and why; asks no model,
                      only upstreams for their lists
  keys create NAME [--models …] [--requests-per-minute N] [--budget-usd N] [--expires DATE] …
                      make a key for a client; it is shown once
  keys list [--json]  all keys, and what they may do
  keys show NAME      one of them, and what it has spent
  keys revoke NAME    take one back, within a second
  plugin new NAME [--kind http|polling|socketio|sse|websocket] [--dir PATH]
                      write a small plugin that works, with its tests
  plugin test PATH    put a plugin to the conformance kit, offline
  plugin record NAME --prompt TEXT [--model MODEL] [--out FILE]
                      ask an upstream, and keep what it really sent, without secrets
  canary NAME [--recording FILE]
                      ask it again, and say whether what it sends has another shape;
                      exit code 3: it has changed
  usage [--by key|model|day|upstream] [--since 7d|2026-01-31] [--json]
                      what was asked, used and paid
  audit               prove that the books of the usage ledger balance`;

const HELP = new Set(["", "help", "--help", "-h"]);

const [name = "", ...argv] = process.argv.slice(2);
/** Commands that handle --help themselves. */
const WITH_OWN_HELP = new Set(["keys", "plugin"]);

if (HELP.has(name) || (!WITH_OWN_HELP.has(name) && argv.some(isHelp))) {
  console.log(USAGE);
  process.exit(0);
}
if (name === "--version") {
  console.log(version);
  process.exit(0);
}
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (!command) {
  console.error(`there is no command ${name}\n\n${USAGE}`);
  process.exit(2);
}
try {
  // A plugin's timers and sockets don't keep a command that is done.
  process.exit(await command(argv));
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exit(1);
}
