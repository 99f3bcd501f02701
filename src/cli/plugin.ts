import { pluginNew } from "./plugin-new.ts";

type Action = (argv: readonly string[]) => Promise<number>;

// The conformance kit is loaded for `test` alone.
const ACTIONS: Readonly<Record<string, Action>> = {
  new: pluginNew,
  test: async (argv) => (await import("./plugin-test.ts")).pluginTest(argv),
};

const USAGE = `usage: bun run modelyard plugin new NAME [--kind http|sse] [--dir PATH]
       bun run modelyard plugin test PATH`;

/** `plugin new` and `plugin test`: what the authors of plugins need. */
export async function plugin([action = "", ...argv]: readonly string[]): Promise<number> {
  const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (act) return act(argv);
  console.error(USAGE);
  return 2;
}
