/**
 * `bun run emulator [--port N] [--socket-port N]`: the emulated langfa.st service by hand, to try Modelyard
 * against it. Ends on Ctrl-C with 0; with 1 if it can't listen, with 2 if it was not asked properly.
 * @module
 */
import { parseArgs } from "node:util";
import { startEmulator } from "./index.ts";
import type { Emulator } from "./index.ts";

const USAGE = `usage: bun run emulator [--port N] [--socket-port N]

  --port N          where its sign-in and requests are (54321)
  --socket-port N   where its prompt runner is (54322)

0 is any free port.`;

interface Ports {
  readonly port: number;
  readonly socketPort: number;
}

const ports = portsIn(process.argv.slice(2));
await using emulator = await startOn(ports);

console.log(`An emulated langfa.st: it makes anonymous users and answers each run with its last user message,
word for word, or with LENGTH characters of generated text where that says "#gen SEED LENGTH".
Point Modelyard at it:

LANGFAST_ANON_KEY=${emulator.anonKey} LANGFAST_SUPABASE_URL=${emulator.supabaseUrl} LANGFAST_SOCKET_URL=${emulator.socketUrl} npx --yes bun@1.4.5 run start

With Bun installed, the end of that line may be \`bun run start\`. Ctrl-C ends the emulator.`);

await new Promise<void>((resolve) => {
  process.once("SIGINT", () => resolve());
  process.once("SIGTERM", () => resolve());
});

const { counts, violations } = emulator;
console.log(`\n${counts.signups} users, ${counts.runsStarted} runs, ${violations.length} violations`);
for (const violation of violations) console.log(`- ${violation}`);

/** The ports that the arguments name; ends the process where they say something else. */
function portsIn(argv: readonly string[]): Ports {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        help: { type: "boolean", short: "h", default: false },
        port: { type: "string", default: "54321" },
        "socket-port": { type: "string", default: "54322" },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    return { port: portIn(values.port), socketPort: portIn(values["socket-port"]) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function portIn(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65_535)) throw new RangeError(`a port is a number from 0 to 65535, not "${text}"`);
  return port;
}

/** The emulator; ends the process where a port is taken. */
async function startOn({ port, socketPort }: Ports): Promise<Emulator> {
  try {
    return await startEmulator({ port, socketPort, script: { pace: 40 } });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    console.error(
      `port ${port} or ${socketPort} is in use, perhaps by another emulator; choose others with --port and --socket-port`,
    );
    process.exit(1);
  }
}
