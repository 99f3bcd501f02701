import { isHelp, printHelp, usageError } from "./plugin-help.ts";
import { pluginNew } from "./plugin-new.ts";

// The conformance kit is loaded for `test` alone.
const ACTIONS: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  new: pluginNew,
  record: async (argv) => (await import("./plugin-record.ts")).pluginRecord(argv),
  test: async (argv) => (await import("./plugin-test.ts")).pluginTest(argv),
};

const USAGE = `usage: bun run modelyard plugin new NAME [--kind http|polling|socketio|sse|websocket] [--dir PATH]
       bun run modelyard plugin test PATH [--fixtures FILE] [--only RULE]
       bun run modelyard plugin record NAME --prompt TEXT [--model MODEL] [--out FILE]`;

/** Runs `plugin new`, `plugin test` or `plugin record`. Prints the usage with --help. */
export async function plugin([action = "", ...argv]: readonly string[]): Promise<number> {
  if (isHelp(action)) return printHelp(USAGE);
  const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  return act ? act(argv) : usageError(USAGE);
}
