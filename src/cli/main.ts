/**
 * `bun run modelyard COMMAND`.
 * @module
 */
import { ConfigError } from "../../config/problem.ts";
import { StartupError } from "../state/startup-error.ts";
import { check } from "./check.ts";
import { explain } from "./explain.ts";
import { keys } from "./keys.ts";

/** A command: gets the arguments after its name, and gives back the exit code. */
type Command = (argv: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, Command>> = { check, explain, keys };

const USAGE = `usage: bun run modelyard COMMAND [--config PATH]

  check               check gateway.yaml: opens every upstream and closes it again,
                      without network and without writing anything
  explain --model MODEL [--key NAME]
                      where a request for a model would go, and why; asks no model,
                      only upstreams for their lists
  keys create NAME    make a key for a client; it is shown once
  keys delete NAME    take one back, at once
  keys list           the keys made so far`;

const [name = "", ...argv] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (!command) {
  console.error(USAGE);
  process.exit(name === "" || name === "--help" ? 0 : 2);
}
try {
  process.exitCode = await command(argv);
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
