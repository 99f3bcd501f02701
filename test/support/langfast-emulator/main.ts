/**
 * `bun run emulator [--port N] [--socket-port N]`: the emulated langfa.st service by hand, to try Modelyard
 * against it. Ends on Ctrl-C.
 * @module
 */
import { parseArgs } from "node:util";
import { startEmulator } from "./index.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "54321" },
    "socket-port": { type: "string", default: "54322" },
  },
});

await using emulator = await startEmulator({
  port: Number(values.port),
  socketPort: Number(values["socket-port"]),
  script: { pace: 40 },
});

console.log(`An emulated langfa.st: it makes anonymous users and answers each run with its last user message,
word for word, or with LENGTH characters of generated text where that says "#gen SEED LENGTH".
Point Modelyard at it:

LANGFAST_ANON_KEY=${emulator.anonKey} LANGFAST_SUPABASE_URL=${emulator.supabaseUrl} LANGFAST_SOCKET_URL=${emulator.socketUrl} bun run start

Ctrl-C ends it.`);

await new Promise<void>((resolve) => {
  process.once("SIGINT", () => resolve());
  process.once("SIGTERM", () => resolve());
});

const { counts, violations } = emulator;
console.log(`\n${counts.signups} users, ${counts.runsStarted} runs, ${violations.length} violations`);
for (const violation of violations) console.log(`- ${violation}`);
